//! Groups of flags that are configuration keys.

use crate::config::values;

/// Reads the words for true and false that flags take.
pub(super) fn truth(word: &str) -> Result<bool, String> {
    values::truth(word).ok_or_else(|| "must be true or false".to_owned())
}

/// Reads the domain of an organisation.
pub(super) fn domain(word: String) -> Result<String, String> {
    if values::is_domain(&word) {
        Ok(word)
    } else {
        Err("letters, digits and dashes, beginning with a letter".to_owned())
    }
}

/// Declares a group of flags, each of which is the configuration key of the same name: truth values, which
/// may stand alone, and texts. The group can put itself into the highest layer of the configuration.
macro_rules! flag_group {
    (
        $(#[$doc:meta])*
        $name:ident
        truths { $($(#[$truth_meta:meta])* $truth:ident = $truth_key:literal,)* }
        texts { $($(#[$text_meta:meta])* $text:ident: $kind:ty = $text_key:literal,)* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Default, clap::Args)]
        pub struct $name {
            $(
                $(#[$truth_meta])*
                #[arg(
                    long = $truth_key,
                    value_name = "BOOL",
                    num_args = 0..=1,
                    require_equals = true,
                    default_missing_value = "true",
                    value_parser = $crate::cli::flags::truth
                )]
                pub $truth: Option<bool>,
            )*
            $(
                $(#[$text_meta])*
                #[arg(long = $text_key)]
                pub $text: Option<$kind>,
            )*
        }

        impl $name {
            fn collect(&self, overrides: &mut $crate::config::Overrides) {
                $(if let Some(flag) = self.$truth {
                    overrides.set($truth_key, flag.to_string());
                })*
                $(if let Some(text) = &self.$text {
                    overrides.set($text_key, text.clone());
                })*
            }
        }
    };
}

pub(super) use flag_group;
