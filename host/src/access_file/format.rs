//! The format of access files as data: which keys may stand where, and what their values are.
//!
//! The reader ([`super::check`]) and the published schema ([`super::schema`]) both follow these tables, so they cannot
//! disagree about a key. What a table cannot say (references, contradictions) is in [`super::control`].

/// The keys of a map.
pub(super) struct Table {
    /// Its name in the schema.
    pub(super) name: &'static str,
    /// What it is, with article, for messages.
    pub(super) what: &'static str,
    /// What it is for, shown by editors.
    pub(super) about: &'static str,
    pub(super) keys: &'static [Key],
    /// Exactly one of the keys has a value.
    pub(super) one_of: bool,
    /// Keys that begin with `x-` are free.
    pub(super) extensible: bool,
}

/// A key of a map.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) presence: Presence,
    /// What it means, shown by editors.
    pub(super) about: &'static str,
}

/// Whether a key has to stand, and what nothing as its value means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It has to stand, with a value.
    Required,
    /// It has to stand, and nothing means an empty list.
    RequiredOrNull,
    /// It may be left out; given without a value it is a mistake.
    Optional,
    /// It may be left out; nothing is the same.
    OptionalOrNull,
}

/// What a value is.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// A text that names something: not empty, no control characters. Unquoted numbers are their text.
    Name,
    /// A name, or an empty text for none.
    MaybeName,
    /// Any text.
    Text,
    /// One of these words, in any letter case.
    Word(&'static [&'static str]),
    /// One of these words exactly.
    ExactWord(&'static [&'static str]),
    /// A moment in RFC 3339 form, not before 1970.
    Timestamp,
    Flag,
    Integer,
    Number,
    /// A list of names.
    Names,
    Map(&'static Table),
    List(&'static Table),
    /// A list that is not empty.
    FilledList(&'static Table),
    /// Never to be given; the hint says what to do instead. Not in the schema.
    Moved(&'static str),
}

/// The actions, as they are written.
pub(super) const ACTIONS: &[&str] = &["grant", "deny", "mask", "filtered", "share", "purpose"];

const COMPARISONS: &[&str] =
    &["Equal", "NotEqual", "LessThan", "LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual"];

const fn required(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, presence: Presence::Required, about }
}

const fn optional(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, presence: Presence::Optional, about }
}

const fn nullable(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, presence: Presence::OptionalOrNull, about }
}

const fn table(name: &'static str, what: &'static str, about: &'static str, keys: &'static [Key]) -> Table {
    Table { name, what, about, keys, one_of: false, extensible: false }
}

pub(super) static FILE: Table = Table {
    extensible: true,
    ..table(
        "file",
        "an access file",
        "Who has access to what, as code. Keys that begin with `x-` are free, for anchors.",
        &[
            Key {
                name: "accessProviders",
                shape: Shape::List(&CONTROL),
                presence: Presence::RequiredOrNull,
                about: "The access controls.",
            },
            nullable(
                "lastCalculated",
                Shape::Integer,
                "Seconds since 1970. Written by Raito Cloud, without effect here.",
            ),
            nullable(
                "fileBuildTime",
                Shape::Integer,
                "Milliseconds since 1970. Written by Raito Cloud, without effect here.",
            ),
            optional("$schema", Shape::Text, "The schema of this file, for editors."),
        ],
    )
};

pub(super) static CONTROL: Table = table(
    "accessProvider",
    "an access provider",
    "An access control: who gets access to what.",
    &[
        required("name", Shape::Name, "Its name. Stands once over all files."),
        optional(
            "id",
            Shape::Name,
            "What it is known by, also after a change of its name. Stands once over all files. Default: the name.",
        ),
        optional(
            "action",
            Shape::Word(ACTIONS),
            "What it does. `grant` is the default; `purpose` is a grant.",
        ),
        nullable("description", Shape::Text, "For people."),
        nullable(
            "namingHint",
            Shape::MaybeName,
            "What its name in the target is made from. Default: the name.",
        ),
        nullable(
            "type",
            Shape::Name,
            "Its type in the target, such as `role`; for masks the type of the mask. Default: the target's.",
        ),
        nullable("externalId", Shape::MaybeName, "Its id in the target, where one is known."),
        nullable("actualName", Shape::MaybeName, "Its name in the target, where it exists there already."),
        nullable("who", Shape::Map(&WHO), "Who has it."),
        nullable("what", Shape::List(&WHAT), "Which data objects it is about, and what is allowed on them."),
        nullable(
            "policyRule",
            Shape::Text,
            "The condition of a filter in the target's own language; columns are written `{column}`. Only with the action `filtered`.",
        ),
        nullable(
            "filterCriteria",
            Shape::Map(&CRITERIA),
            "The condition of a filter as a tree. Only with the action `filtered`.",
        ),
        optional("delete", Shape::Flag, "Whether it is to be removed from the target."),
        nullable("deletedWho", Shape::Map(&WHO), "Who is to lose it."),
        nullable("deleteWhat", Shape::List(&WHAT), "What is to be revoked."),
        nullable("whoLocked", Shape::Flag, "Whether its users and groups in the target stay as they are."),
        nullable(
            "inheritanceLocked",
            Shape::Flag,
            "Whether what it inherits from in the target stays as it is.",
        ),
        nullable(
            "whatLocked",
            Shape::Flag,
            "Whether its data objects and permissions in the target stay as they are.",
        ),
        nullable("deleteLocked", Shape::Flag, "Whether it may not be removed from the target."),
        nullable(
            "commonDataObject",
            Shape::Name,
            "Full name of the data object that holds all of `what`, for types that live in one.",
        ),
        nullable(
            "owners",
            Shape::List(&OWNER),
            "Who answers for it in Raito Cloud. Without effect on a target.",
        ),
        optional("access", Shape::Moved("move its `who` and `what` to the access provider itself"), ""),
    ],
);

pub(super) static WHO: Table = table(
    "who",
    "a who-list",
    "Who has an access control.",
    &[
        nullable("users", Shape::Names, "Account names."),
        nullable("groups", Shape::Names, "Names of groups."),
        nullable(
            "inheritFrom",
            Shape::Names,
            "Access controls whose members have this one too: their names, `ID:<id>`, or names of roles in the target.",
        ),
        nullable("recipients", Shape::Names, "Recipients of a share."),
    ],
);

pub(super) static WHAT: Table = table(
    "what",
    "an element of a what-list",
    "A data object and the permissions on it.",
    &[
        required("dataObject", Shape::Map(&OBJECT), "The data object."),
        nullable(
            "permissions",
            Shape::Names,
            "Permissions in the words of the target, such as `SELECT`. Letter case does not count. Nothing for masks and filters.",
        ),
    ],
);

pub(super) static OBJECT: Table = table(
    "dataObject",
    "a data object",
    "A data object.",
    &[
        required("fullName", Shape::Name, "Its full name, such as `sales.public.orders`."),
        required("type", Shape::Name, "Its type, such as `table`."),
        nullable("id", Shape::Text, "Its id in Raito Cloud. Without effect here."),
    ],
);

pub(super) static OWNER: Table = table(
    "owner",
    "an owner",
    "An owner, by one or more of its names.",
    &[
        nullable("email", Shape::Name, "E-mail address."),
        nullable("accountName", Shape::Name, "Account name."),
        nullable("groupName", Shape::Name, "Name of a group."),
    ],
);

pub(super) static CRITERIA: Table = Table {
    one_of: true,
    ..table(
        "criteria",
        "a node of the filter criteria",
        "A condition: exactly one of the keys.",
        &[
            nullable("literal", Shape::Flag, "Always or never."),
            nullable("comparison", Shape::Map(&COMPARISON), "Compares two values."),
            nullable("aggregator", Shape::Map(&AGGREGATOR), "All or any of several conditions."),
            nullable("unaryExpression", Shape::Map(&UNARY), "The opposite of a condition."),
        ],
    )
};

static COMPARISON: Table = table(
    "comparison",
    "a comparison",
    "Compares two values.",
    &[
        required("operator", Shape::Word(COMPARISONS), "How they are compared."),
        required("leftOperand", Shape::Map(&OPERAND), "The left value."),
        required("rightOperand", Shape::Map(&OPERAND), "The right value."),
    ],
);

static AGGREGATOR: Table = table(
    "aggregator",
    "an aggregator",
    "All or any of several conditions.",
    &[
        required("operator", Shape::Word(&["And", "Or"]), "Whether all have to hold or one."),
        required("operands", Shape::FilledList(&CRITERIA), "The conditions."),
    ],
);

static UNARY: Table = table(
    "unaryExpression",
    "a unary expression",
    "The opposite of a condition.",
    &[
        required("operator", Shape::Word(&["Not"]), "`Not`."),
        required("expression", Shape::Map(&CRITERIA), "The condition."),
    ],
);

static OPERAND: Table = Table {
    one_of: true,
    ..table(
        "operand",
        "an operand",
        "A value: exactly one of the keys.",
        &[
            nullable("reference", Shape::Map(&REFERENCE), "The value of a column."),
            nullable("literal", Shape::Map(&LITERAL), "A fixed value."),
        ],
    )
};

static REFERENCE: Table = table(
    "reference",
    "a reference",
    "The value of a column.",
    &[
        required(
            "entityType",
            Shape::ExactWord(&["ColumnReferenceByName", "DataObject"]),
            "`ColumnReferenceByName`, or `DataObject` for an id of Raito Cloud.",
        ),
        required("entityId", Shape::Name, "The name of the column, or the id of the data object."),
    ],
);

static LITERAL: Table = Table {
    one_of: true,
    ..table(
        "literal",
        "a literal",
        "A fixed value: exactly one of the keys.",
        &[
            nullable("bool", Shape::Flag, "True or false."),
            nullable("int", Shape::Integer, "An integer of 64 bits."),
            nullable("float", Shape::Number, "A decimal number."),
            nullable("string", Shape::Text, "A text."),
            nullable(
                "timestamp",
                Shape::Timestamp,
                "A time in RFC 3339 form, such as `2026-03-01T08:30:00Z`, from 1970 on.",
            ),
        ],
    )
};

impl Table {
    /// The names of the keys that may be given.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        let keys = self.keys;
        keys.iter().filter(|key| !matches!(key.shape, Shape::Moved(_))).map(|key| key.name)
    }

    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        let keys = self.keys;
        keys.iter().find(|key| key.name == name)
    }
}

impl Presence {
    pub(super) fn is_required(self) -> bool {
        matches!(self, Self::Required | Self::RequiredOrNull)
    }

    pub(super) fn allows_null(self) -> bool {
        matches!(self, Self::OptionalOrNull | Self::RequiredOrNull)
    }
}
