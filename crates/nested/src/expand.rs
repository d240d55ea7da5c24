//! From a parent record to the values of a parameter.

use std::fmt;
use std::sync::Arc;

use longshore_jq::Val;

use crate::Error;
use crate::value::Item;

/// Says which values of a parameter a parent record gives. Pure: no I/O, no waiting.
///
/// # Contract
/// No value is fine: this parent has no children. An `Err` leaves other parents alone, but makes the read of the children incomplete, as
/// nobody can say what this parent's children are. Equal parents give equal values; whoever sends the requests asks once for equal ones.
///
/// [`Parameter`](crate::Parameter) does it by jq. Implement this for values that are found otherwise, such as one for each month of a range
/// that the record names.
///
/// ```
/// use longshore_jq::Val;
/// use longshore_nested::{Error, Expand, Expanded, Item};
///
/// /// `{"pages": 3}` has the pages 1, 2 and 3.
/// #[derive(Debug)]
/// struct Counted;
///
/// impl Expand for Counted {
///     fn values(&self, parent: &Val) -> Result<Vec<Expanded>, Error> {
///         let count = parent.get("pages").and_then(Val::as_u64).unwrap_or(0);
///         Ok((1..=count).map(|page| Expanded::from(Item::text(page.to_string()))).collect())
///     }
/// }
/// ```
pub trait Expand: fmt::Debug + Send + Sync + 'static {
    /// The values that one parent gives.
    ///
    /// # Errors
    /// What this parent's children are cannot be said: see the contract.
    fn values(&self, parent: &Val) -> Result<Vec<Expanded>, Error>;
}

/// One value of a parameter, and what the records of its children are told of the parent.
#[derive(Clone, Debug)]
pub struct Expanded {
    /// The value.
    pub item: Item,
    /// Keys and values for each record of the children.
    pub include: Vec<(String, Val)>,
}

impl From<Item> for Expanded {
    fn from(item: Item) -> Self {
        Expanded {
            item,
            include: Vec::new(),
        }
    }
}

impl<E: Expand + ?Sized> Expand for Arc<E> {
    fn values(&self, parent: &Val) -> Result<Vec<Expanded>, Error> {
        (**self).values(parent)
    }
}

impl<E: Expand + ?Sized> Expand for Box<E> {
    fn values(&self, parent: &Val) -> Result<Vec<Expanded>, Error> {
        (**self).values(parent)
    }
}
