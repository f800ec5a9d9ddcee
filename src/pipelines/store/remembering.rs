//! A source that is asked for what is not yet kept.

use std::cell::{Cell, RefCell};

use super::{Store, key};
use crate::error::Result;
use crate::pipelines::{BoundarySource, Stretch, Values};

/// One of the equal parts that calls are dealt to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 0.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

/// A model whose answers are kept. With a part, calls of other parts are passed over.
pub struct Remembering<'a> {
    of: &'a str,
    source: &'a dyn BoundarySource,
    store: &'a RefCell<Store>,
    part: Option<Part>,
    asked: Cell<u64>,
}

impl<'a> Remembering<'a> {
    /// Keeps the answers of `source`, which `of` tells from others with answers in the same
    /// `store`.
    pub fn new(
        of: &'a str,
        source: &'a dyn BoundarySource,
        store: &'a RefCell<Store>,
        part: Option<Part>,
    ) -> Self {
        Remembering {
            of,
            source,
            store,
            part,
            asked: Cell::new(0),
        }
    }

    /// Bases that the model was asked for, since their answers were not at hand.
    pub fn asked_bp(&self) -> u64 {
        self.asked.get()
    }
}

impl BoundarySource for Remembering<'_> {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let key = key(self.of, stretches);
        let number = key
            .iter()
            .take(8)
            .fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
        if self
            .part
            .is_some_and(|part| number % u64::from(part.of) != u64::from(part.index))
        {
            return Ok(Vec::new());
        }
        if let Some(kept) = self.store.borrow_mut().get(&key)? {
            return Ok(kept);
        }
        let values = self.source.read(stretches)?;
        self.asked.set(
            self.asked.get()
                + stretches
                    .iter()
                    .map(|s| s.letters.len() as u64)
                    .sum::<u64>(),
        );
        self.store.borrow_mut().put(key, &values)?;
        Ok(values)
    }

    fn values(&self) -> Values {
        self.source.values()
    }

    fn is_part(&self) -> bool {
        self.part.is_some()
    }
}
