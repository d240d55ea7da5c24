//! Checks that every implementor of a trait must pass, the built-in ones too.
