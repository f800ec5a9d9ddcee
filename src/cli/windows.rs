//! `--context`, `--margin` and `--batch`: what a model is given at once.

use super::counts;
use crate::error::{Error, Result};

/// The options, for every analysis that reads a model.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Windows {
    /// Bases given to the model at once [default: the length it, or the first of several, was
    /// trained on, else 4096]
    #[arg(long, value_name = "BASES", value_parser = counts::parse)]
    context: Option<usize>,
    /// Least distance of what is looked at from the ends of what the model is given [default: a
    /// quarter of the context, at most 512]
    #[arg(long, value_name = "BASES", value_parser = counts::parse)]
    margin: Option<usize>,
    /// Windows of full length given to the model together
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = counts::batch)]
    pub batch: usize,
}

/// Bases given to a model where neither the user nor the checkpoint says.
const CONTEXT: usize = 4096;

impl Windows {
    /// Context and margin for a model that was trained on windows of a length, with room for
    /// `flank` positions between the margins.
    ///
    /// # Errors
    /// There is none.
    pub fn of(self, trained: Option<usize>, flank: usize) -> Result<(usize, usize)> {
        let both = self.pair(trained);
        check(both, flank)?;
        Ok(both)
    }

    /// Refuses a context that was asked for without room for `flank` positions: no model is needed
    /// to know.
    ///
    /// # Errors
    /// There is none.
    pub fn check(self, flank: usize) -> Result<()> {
        self.asked().map_or(Ok(()), |asked| check(asked, flank))
    }

    /// Context and margin where the context was asked for, unchecked.
    pub fn asked(self) -> Option<(usize, usize)> {
        self.context.map(|_| self.pair(None))
    }

    fn pair(self, trained: Option<usize>) -> (usize, usize) {
        let context = self.context.or(trained).unwrap_or(CONTEXT);
        let margin = self.margin.unwrap_or((context / 4).clamp(1, 512));
        (context, margin)
    }
}

/// Refuses a context without room for a profile between its margins.
fn check((context, margin): (usize, usize), flank: usize) -> Result<()> {
    let needed = margin.max(1).saturating_add(flank).saturating_mul(2);
    if needed > context {
        return Err(Error::Usage(format!(
            "a context of {context} bases has no room for --flank {flank} and a margin of {margin} on both sides: it takes {needed}"
        )));
    }
    Ok(())
}
