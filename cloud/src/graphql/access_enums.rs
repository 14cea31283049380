//! The words of access controls.

use async_graphql::Enum;

/// What an access control does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
pub(super) enum AccessProviderAction {
    Promise,
    Grant,
    Deny,
    Mask,
    Filtered,
    Purpose,
    Share,
}

impl AccessProviderAction {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Promise, "Promise"),
        (Self::Grant, "Grant"),
        (Self::Deny, "Deny"),
        (Self::Mask, "Mask"),
        (Self::Filtered, "Filtered"),
        (Self::Purpose, "Purpose"),
        (Self::Share, "Share"),
    ];

    /// The word that is stored.
    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(action, _)| *action == self).map_or("Grant", |(_, word)| word)
    }

    /// The action of a stored word.
    pub(super) fn from_word(word: &str) -> Self {
        Self::ALL.iter().find(|(_, known)| *known == word).map_or(Self::Grant, |(action, _)| *action)
    }
}

/// Whether an access control is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
pub(super) enum AccessProviderState {
    Active,
    Inactive,
    Deleted,
}

impl AccessProviderState {
    /// The word that is stored.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
            Self::Deleted => "Deleted",
        }
    }

    /// The state of a stored word.
    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "Deleted" => Self::Deleted,
            "Inactive" => Self::Inactive,
            _ => Self::Active,
        }
    }
}

/// How a list came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
pub(super) enum WhoAndWhatType {
    Static,
    Dynamic,
    Unknown,
}

impl WhoAndWhatType {
    /// The word that is stored.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Static => "Static",
            Self::Dynamic => "Dynamic",
            Self::Unknown => "Unknown",
        }
    }

    /// The type of a stored word.
    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "Dynamic" => Self::Dynamic,
            "Unknown" => Self::Unknown,
            _ => Self::Static,
        }
    }
}

/// Whether access is given or can be had on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
pub(super) enum AccessWhoItemType {
    WhoGrant,
    WhoPromise,
}

impl AccessWhoItemType {
    /// The word that is stored.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::WhoGrant => "WhoGrant",
            Self::WhoPromise => "WhoPromise",
        }
    }

    /// The type of a stored word.
    pub(super) fn from_word(word: &str) -> Self {
        if word == "WhoPromise" { Self::WhoPromise } else { Self::WhoGrant }
    }
}

/// A part that is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum AccessProviderLock {
    #[graphql(name = "WhoLock")]
    Who,
    #[graphql(name = "InheritanceLock")]
    Inheritance,
    #[graphql(name = "WhatLock")]
    What,
    #[graphql(name = "NameLock")]
    Name,
    #[graphql(name = "DeleteLock")]
    Delete,
    #[graphql(name = "OwnerLock")]
    Owner,
}

impl AccessProviderLock {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Who, "WhoLock"),
        (Self::Inheritance, "InheritanceLock"),
        (Self::What, "WhatLock"),
        (Self::Name, "NameLock"),
        (Self::Delete, "DeleteLock"),
        (Self::Owner, "OwnerLock"),
    ];

    /// The word that is stored.
    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(lock, _)| *lock == self).map_or("WhoLock", |(_, word)| word)
    }

    /// The lock of a stored word.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(lock, _)| *lock)
    }
}

/// Where an access control is on its way to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum SyncStatus {
    NotConnected,
    Failed,
    OutOfDate,
    OutOfSync,
    InProgress,
    Synced,
}

impl SyncStatus {
    /// The status of a stored word.
    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "SYNCED" => Self::Synced,
            "FAILED" => Self::Failed,
            "IN_PROGRESS" => Self::InProgress,
            "OUT_OF_DATE" => Self::OutOfDate,
            "NOT_CONNECTED" => Self::NotConnected,
            _ => Self::OutOfSync,
        }
    }
}
