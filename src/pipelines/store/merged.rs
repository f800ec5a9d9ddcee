//! All answers of a run from the stores of its shards.

use std::cell::RefCell;

use super::{Store, key};
use crate::error::{Error, Result};
use crate::pipelines::{BoundarySource, Stretch};

/// Shards in the place of a model.
pub struct Merged<'a> {
    of: &'a str,
    stores: &'a RefCell<Vec<Store>>,
}

impl<'a> Merged<'a> {
    /// All shards of a run, for the answers of `of`: see [`Remembering::new`](super::Remembering::new).
    pub fn new(of: &'a str, stores: &'a RefCell<Vec<Store>>) -> Self {
        Merged { of, stores }
    }
}

impl BoundarySource for Merged<'_> {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let key = key(self.of, stretches);
        for store in self.stores.borrow_mut().iter_mut() {
            if let Some(values) = store.get(&key)? {
                return Ok(values);
            }
        }
        let place = stretches.iter().find_map(|stretch| stretch.place);
        let place = place.map_or(String::new(), |p| format!(" at {}:{}-{}:{}", p.contig, p.bases.start, p.bases.end, p.strand));
        Err(Error::Invalid(format!(
            "no shard holds the answer{place}: the shards are of other inputs, or of another version of the program"
        )))
    }
}
