//! What a page calls what was read: a model's boundary probabilities, or the values of a track in
//! their place.

use super::record::About;

/// Chosen once for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Terms {
    /// A model was read.
    Model,
    /// A track was read in its place.
    Track,
}

impl About {
    /// Those of the run's page.
    pub(super) fn terms(&self) -> Terms {
        match self.signal {
            true => Terms::Track,
            false => Terms::Model,
        }
    }
}

impl Terms {
    /// What holds of a model, or of a track.
    pub fn either<T>(self, of_a_model: T, of_a_track: T) -> T {
        match self {
            Terms::Model => of_a_model,
            Terms::Track => of_a_track,
        }
    }

    /// The name of the values.
    pub fn quantity(self) -> &'static str {
        self.either("boundary probability", "signal")
    }

    /// How tiles come to have values; their length follows.
    pub fn given(self) -> &'static str {
        self.either(
            "the model is given tiles of",
            "the value of a base belongs to the inter-base position before it in the orientation of the strand, so that at offset 0 stands the first base downstream. \
             Positions come in tiles of",
        )
    }

    /// Why the first position of a tile has none, after what is said of a tile's end.
    pub fn first(self) -> &'static str {
        self.either(
            ", and neither is the first position of a tile, which is a boundary by definition",
            "",
        )
    }

    /// What has them.
    pub fn reader(self) -> &'static str {
        self.either("model", "track")
    }
}
