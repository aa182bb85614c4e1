//! Contracts: what an implementation's documentation may claim. A contract is a list of freedoms; each is a field, its
//! strict value, and the sentence that explains it.

use std::fmt::Debug;

/// The freedoms that a subject's documentation may claim. Each has a strict default.
pub trait Contract: Clone + Copy + Debug + Send + Sync + 'static {
    /// The contract that claims no freedom.
    const STRICT: Self;
    /// Every freedom, with the sentence that explains it.
    const FREEDOMS: &'static [Freedom];

    /// The names of the freedoms that this contract claims.
    fn claimed(&self) -> Vec<&'static str>;

    /// The value of a freedom that has one, in words: a number, or a list.
    fn value(&self, _freedom: &str) -> Option<String> {
        None
    }

    /// The freedoms that this contract claims, with their values: `no_reuse`, `block_overhead=16`.
    fn claims(&self) -> Vec<String> {
        let claim = |name| self.value(name).map_or_else(|| String::from(name), |value| format!("{name}={value}"));
        self.claimed().into_iter().map(claim).collect()
    }
}

/// One freedom of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freedom {
    /// The name, as `memtwin list` prints it.
    pub name: &'static str,
    /// What a subject may do when it claims this freedom, and what the strict contract demands instead.
    pub sentence: &'static str,
}

/// A contract as a struct with a field for each freedom: its type, its strict value, its sentence.
macro_rules! freedoms {
    ($(#[$doc:meta])* $contract:ident; $($name:ident: $type:ty = $strict:expr, $sentence:literal;)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $contract {
            $(#[doc = $sentence] pub $name: $type,)*
        }

        impl $crate::Contract for $contract {
            const STRICT: Self = $contract { $($name: $strict,)* };

            const FREEDOMS: &'static [$crate::Freedom] =
                &[$($crate::Freedom { name: stringify!($name), sentence: $sentence },)*];

            fn claimed(&self) -> Vec<&'static str> {
                let mut claimed = Vec::new();
                $(if self.$name != <Self as $crate::Contract>::STRICT.$name { claimed.push(stringify!($name)); })*
                claimed
            }

            fn value(&self, freedom: &str) -> Option<String> {
                match freedom {
                    $(stringify!($name) => <$type as $crate::contract::Claim>::value(&self.$name),)*
                    _ => None,
                }
            }
        }

        impl $contract {
            /// The same contract with one freedom more, by its name, and its value if it has one: `no_reuse`, or
            /// `block_overhead=16`.
            ///
            /// # Errors
            /// In words, when there is no such freedom or it takes another value.
            pub fn claim(mut self, claim: &str) -> Result<Self, String> {
                let (name, value) = claim.split_once('=').map_or((claim, None), |(name, value)| (name, Some(value)));
                match name {
                    $(stringify!($name) => <$type as $crate::contract::Claim>::claim(&mut self.$name, name, value)?,)*
                    _ => {
                        let freedoms = <Self as $crate::Contract>::FREEDOMS.iter();
                        let names: Vec<&str> = freedoms.map(|freedom| freedom.name).collect();
                        return Err(format!("there is no freedom {name:?}; known are {}", names.join(", ")));
                    }
                }
                Ok(self)
            }
        }
    };
}
pub(crate) use freedoms;

/// A freedom's value, from what a person wrote.
pub(crate) trait Claim {
    fn claim(&mut self, name: &str, value: Option<&str>) -> Result<(), String>;
    /// What a person writes behind the name; nothing where the name says it all.
    fn value(&self) -> Option<String>;
}

impl Claim for bool {
    fn claim(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        *self = match value {
            None | Some("true") => true,
            Some("false") => false,
            Some(other) => return Err(format!("{name} is claimed or not; {other:?} is neither true nor false")),
        };
        Ok(())
    }

    fn value(&self) -> Option<String> {
        None
    }
}

impl Claim for u64 {
    fn claim(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        let number = value.and_then(|value| match value.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => value.parse().ok(),
        });
        *self = number.ok_or_else(|| format!("{name} needs a number: {name}=16"))?;
        Ok(())
    }

    fn value(&self) -> Option<String> {
        Some(self.to_string())
    }
}
