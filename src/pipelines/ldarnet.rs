//! LDARNet behind the trait that pipelines ask: the one place where they meet tensors.

use super::{BoundarySource, Stretch};
use crate::error::{Error, Result};
use crate::model::{LdarNet, tokenizer};

/// One router of a model.
pub struct Router<'a> {
    model: &'a LdarNet,
    stage: usize,
}

impl<'a> Router<'a> {
    /// The router of `stage`, 0 for the outermost, which sees every base.
    ///
    /// # Errors
    /// The model has no router, or none of that number.
    pub fn new(model: &'a LdarNet, stage: usize) -> Result<Self> {
        match model.config().layout.stages() - 1 {
            0 => Err(Error::Invalid("this model is a single stack without a router: it draws no boundaries".into())),
            routers if stage >= routers => {
                Err(Error::Invalid(format!("stage {stage}: this model's routers are numbered 0 to {}", routers - 1)))
            }
            _ => Ok(Router { model, stage }),
        }
    }
}

impl BoundarySource for Router<'_> {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        if stretches.is_empty() {
            return Ok(Vec::new());
        }
        let tokens: Vec<Vec<u8>> = stretches.iter().map(|stretch| tokenizer::encode(&stretch.letters)).collect();
        let routed = self.model.route(&tokens, self.stage)?;
        let mut starts = vec![0];
        tokens.iter().for_each(|t| starts.push(starts[starts.len() - 1] + t.len()));
        // Rows of the stage, as bases of the packed batch: each router passes on the bases it marked.
        let mut rows: Vec<usize> = (0..starts[starts.len() - 1]).collect();
        for stage in &routed[..self.stage] {
            rows = rows.into_iter().zip(&stage.mask).filter(|(_, kept)| **kept).map(|(base, _)| base).collect();
        }
        let probs = routed[self.stage].prob.to_vec1::<f32>()?;
        if let Some(bad) = probs.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            return Err(Error::Invalid(format!("the model gave {bad} for a boundary probability: its weights are broken")));
        }
        let mut flat = vec![f32::NAN; starts[starts.len() - 1]];
        rows.into_iter().zip(probs).for_each(|(base, p)| flat[base] = p);
        Ok(starts.windows(2).map(|ends| flat[ends[0]..ends[1]].to_vec()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Checkpoint;

    fn nano() -> LdarNet {
        Checkpoint::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/nano.pt")).unwrap().model().unwrap()
    }

    #[test]
    fn each_base_has_the_probability_of_its_row() {
        let model = nano();
        let sequences = [b"ACGTTGCANNACGTACGGTA", b"TTTTACGATCGATCGGGCTA"].map(|letters| Stretch::nowhere(letters.to_vec()));
        let together = Router::new(&model, 0).unwrap().read(&sequences).unwrap();
        for (sequence, probs) in sequences.iter().zip(&together) {
            let alone = model.forward(&[tokenizer::encode(&sequence.letters)]).unwrap().stages[0].prob.to_vec1::<f32>().unwrap();
            assert_eq!(&alone, probs);
            assert_eq!(probs[0], 1.0);
        }
        assert!(Router::new(&model, 0).unwrap().read(&[]).unwrap().is_empty());
    }

    #[test]
    fn missing_routers_are_named() {
        let routers = nano().config().layout.stages() - 1;
        let message = Router::new(&nano(), routers).err().unwrap().to_string();
        assert!(message.contains(&format!("numbered 0 to {}", routers - 1)), "{message}");
    }
}
