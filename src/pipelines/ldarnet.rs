//! LDARNet behind the trait that pipelines ask: the one place where they meet tensors.

use super::{BoundarySource, MASKED, Stretch, Values};
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
            0 => Err(Error::Invalid(
                "this model is a single stack without a router: it draws no boundaries".into(),
            )),
            routers if stage >= routers => Err(Error::Invalid(format!(
                "stage {stage}: this model's routers are numbered 0 to {}",
                routers - 1
            ))),
            _ => Ok(Router { model, stage }),
        }
    }
}

/// Tokens of letters.
fn tokens(stretches: &[Stretch<'_>]) -> Vec<Vec<u8>> {
    let token = |letter: &u8| {
        if *letter == MASKED {
            tokenizer::MASK
        } else {
            tokenizer::token(*letter)
        }
    };
    stretches
        .iter()
        .map(|stretch| stretch.letters.iter().map(token).collect())
        .collect()
}

impl BoundarySource for Router<'_> {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        if stretches.is_empty() {
            return Ok(Vec::new());
        }
        let tokens = tokens(stretches);
        let routed = self.model.route(&tokens, self.stage)?;
        let mut starts = vec![0];
        tokens
            .iter()
            .for_each(|t| starts.push(starts[starts.len() - 1] + t.len()));
        // Rows of the stage, as bases of the packed batch: each router passes on the bases it
        // marked.
        let mut rows: Vec<usize> = (0..starts[starts.len() - 1]).collect();
        for stage in &routed[..self.stage] {
            rows = rows
                .into_iter()
                .zip(&stage.mask)
                .filter(|(_, kept)| **kept)
                .map(|(base, _)| base)
                .collect();
        }
        let probs = routed[self.stage].prob.to_vec1::<f32>()?;
        if let Some(bad) = probs.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            return Err(Error::Invalid(format!(
                "the model gave {bad} for a boundary probability: its weights are broken"
            )));
        }
        let mut flat = vec![f32::NAN; starts[starts.len() - 1]];
        rows.into_iter()
            .zip(probs)
            .for_each(|(base, p)| flat[base] = p);
        Ok(starts
            .windows(2)
            .map(|ends| flat[ends[0]..ends[1]].to_vec())
            .collect())
    }
}

/// All that a model says of alleles. What a stretch asks is told by its letters:
///
/// - where some are [`MASKED`], the logarithms of the probabilities of A, C, G and T at each of
///   them, four values a masked base, in order;
/// - else the boundary probability before each letter in lower case, by the outermost router, then
///   the mean hidden state (what the LM head reads) over all bases, as many values as the model is
///   wide.
pub struct Scorer<'a>(pub &'a LdarNet);

impl BoundarySource for Scorer<'_> {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        if stretches.is_empty() {
            return Ok(Vec::new());
        }
        let places = |one: &Stretch<'_>, asked: fn(&u8) -> bool| -> Vec<usize> {
            (0..one.letters.len())
                .filter(|t| asked(&one.letters[*t]))
                .collect()
        };
        let output = self.0.forward(&tokens(stretches))?;
        let Some(router) = output.stages.first() else {
            return Err(Error::Invalid(
                "this model is a single stack without a router: it draws no boundaries".into(),
            ));
        };
        let starts = router.seqs.iter().map(|rows| rows.start);
        if stretches[0].letters.contains(&MASKED) {
            let rows = starts.zip(stretches).map(|(start, one)| {
                places(one, |b| *b == MASKED)
                    .into_iter()
                    .map(|t| start + t)
                    .collect::<Vec<_>>()
            });
            let rows: Vec<Vec<usize>> = rows.collect();
            let found = output.base_log_probs(&rows.concat())?;
            let mut found = found.into_iter();
            return Ok(rows
                .iter()
                .map(|rows| found.by_ref().take(rows.len()).flatten().collect())
                .collect());
        }
        let (probs, hidden) = (
            router.prob.to_vec1::<f32>()?,
            output.hidden.to_vec2::<f32>()?,
        );
        let one = |(start, one): (usize, &Stretch<'_>)| {
            let asked = places(one, u8::is_ascii_lowercase)
                .into_iter()
                .map(|t| probs[start + t]);
            let rows = &hidden[start..start + one.letters.len()];
            let mean = |c: usize| {
                (rows.iter().map(|row| f64::from(row[c])).sum::<f64>() / rows.len() as f64) as f32
            };
            asked.chain((0..rows[0].len()).map(mean)).collect()
        };
        Ok(starts.zip(stretches).map(one).collect())
    }

    fn values(&self) -> Values {
        Values::Scores
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Checkpoint;

    fn nano() -> LdarNet {
        Checkpoint::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/nano.pt"))
            .unwrap()
            .model()
            .unwrap()
    }

    #[test]
    fn each_base_has_the_probability_of_its_row() {
        let model = nano();
        let sequences = [b"ACGTTGCANNACGTACGGTA", b"TTTTACGATCGATCGGGCTA"]
            .map(|letters| Stretch::nowhere(letters.to_vec()));
        let together = Router::new(&model, 0).unwrap().read(&sequences).unwrap();
        for (sequence, probs) in sequences.iter().zip(&together) {
            let alone = model
                .forward(&[tokenizer::encode(&sequence.letters)])
                .unwrap()
                .stages[0]
                .prob
                .to_vec1::<f32>()
                .unwrap();
            assert_eq!(&alone, probs);
            assert_eq!(probs[0], 1.0);
        }
        assert!(
            Router::new(&model, 0)
                .unwrap()
                .read(&[])
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_scorer_answers_what_the_letters_ask() {
        let model = nano();
        let of = |letters: &[&str]| {
            let stretches: Vec<_> = letters
                .iter()
                .map(|letters| Stretch::nowhere(letters.as_bytes().to_vec()))
                .collect();
            Scorer(&model).read(&stretches).unwrap()
        };
        let [whole, other] = &of(&["ACGTtgcaGGACGTACGGTA", "TTTTacgaTCGATCGGGCTA"])[..] else {
            panic!()
        };
        let probs = Router::new(&model, 0)
            .unwrap()
            .read(&[Stretch::nowhere(b"ACGTTGCAGGACGTACGGTA".to_vec())])
            .unwrap();
        assert_eq!(
            (&whole[..4], whole.len()),
            (&probs[0][4..8], 4 + model.config().stages[0].d_model)
        );
        assert_eq!(of(&["TTTTacgaTCGATCGGGCTA"])[0], *other);
        let masked = of(&["ACGT?GCA?GACGTACGGTA", "TTTTACGA?CGA?CGGGCTA"]);
        for values in &masked {
            assert_eq!(values.len(), 8);
            for four in values.chunks(4) {
                assert!(
                    (four.iter().map(|l| f64::from(*l).exp()).sum::<f64>() - 1.0).abs() < 1e-5,
                    "{four:?}"
                );
            }
        }
        let mut tokens = tokenizer::encode(b"ACGTNGCANGACGTACGGTA");
        (tokens[4], tokens[8]) = (tokenizer::MASK, tokenizer::MASK);
        let logits = model
            .forward(&[tokens])
            .unwrap()
            .logits
            .to_vec2::<f32>()
            .unwrap();
        assert!(
            (f64::from(masked[0][1] - masked[0][0]) - f64::from(logits[4][1] - logits[4][0])).abs()
                < 1e-5
        );
    }

    #[test]
    fn missing_routers_are_named() {
        let routers = nano().config().layout.stages() - 1;
        let message = Router::new(&nano(), routers).err().unwrap().to_string();
        assert!(
            message.contains(&format!("numbered 0 to {}", routers - 1)),
            "{message}"
        );
    }
}
