//! All answers of a run from the stores of its shards.

use std::cell::RefCell;

use super::{Store, key};
use crate::error::{Error, Result};
use crate::pipelines::tiles::sound;
use crate::pipelines::{BoundarySource, Stretch, Values};

/// The model of shards, which is not opened: [`Merged`] answers in its place, with values of this
/// kind.
pub struct Unopened(pub Values);

impl BoundarySource for Unopened {
    fn read(&self, _: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        Err(Error::Invalid(
            "the model of shards was asked, which is not opened".into(),
        ))
    }

    fn values(&self) -> Values {
        self.0
    }
}

/// Shards in the place of a model.
pub struct Merged<'a> {
    of: &'a str,
    stores: &'a RefCell<Vec<Store>>,
    values: Values,
    sees_all: bool,
}

impl<'a> Merged<'a> {
    /// All shards of a run, for the answers of `of`: see
    /// [`Remembering::new`](super::Remembering::new). `values` are what the model gives; `sees_all`
    /// is true of the outermost stage, which has a probability for each base.
    pub fn new(
        of: &'a str,
        stores: &'a RefCell<Vec<Store>>,
        values: Values,
        sees_all: bool,
    ) -> Self {
        Merged {
            of,
            stores,
            values,
            sees_all,
        }
    }
}

impl BoundarySource for Merged<'_> {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let key = key(self.of, stretches);
        for store in self.stores.borrow_mut().iter_mut() {
            let Some(values) = store.get(&key)? else {
                continue;
            };
            let (sound, what) = sound(self.values);
            let is_sound = |value: &f32| sound(value) || (value.is_nan() && !self.sees_all);
            return match values.iter().flatten().find(|value| !is_sound(value)) {
                Some(value) => Err(Error::file(
                    store.path(),
                    format!("holds {value} for {what}: run its shard again"),
                )),
                None => Ok(values),
            };
        }
        let place = stretches.iter().find_map(|stretch| stretch.place);
        let place = place.map_or(String::new(), |p| {
            format!(
                " at {}:{}-{}:{}",
                p.contig, p.bases.start, p.bases.end, p.strand
            )
        });
        Err(Error::Invalid(format!(
            "no shard holds the answer{place}: the shards are of other inputs, or of another version of the program"
        )))
    }

    fn values(&self) -> Values {
        self.values
    }
}
