//! What a page calls the values it shows: boundary probabilities of a model, or the signal of a
//! track.

use super::Report;
use super::record::About;

/// What pages say of a model, and of a track in its place. Earlier ones win.
const OF_A_TRACK: [(&str, &str); 33] = [
    (
        "Do the model’s boundaries fall on splice sites?",
        "Does the signal differ at splice sites?",
    ),
    (
        "Do the model’s boundaries gather at motifs in promoters?",
        "Does the signal differ at motifs in promoters?",
    ),
    (
        "Do boundaries tell sites from decoys, and beyond the nucleotides?",
        "Does the signal tell sites from decoys, and beyond the nucleotides?",
    ),
    (
        "Do boundaries tell sites from controls, and beyond the nucleotides?",
        "Does the signal tell sites from controls, and beyond the nucleotides?",
    ),
    (
        "Do boundaries tell motif hits from controls, and beyond the nucleotides?",
        "Does the signal tell motif hits from controls, and beyond the nucleotides?",
    ),
    (
        "Do the model’s boundaries mark the given sites?",
        "Does the signal differ at the given sites?",
    ),
    (
        "Sites from controls, by boundaries and by nucleotides",
        "Sites from controls, by the signal and by nucleotides",
    ),
    (
        "Boundaries: the log-odds of the boundary probability and whether it is a cut (above one half), at offsets",
        "The signal (in tables: boundaries): its values at offsets",
    ),
    (
        "What boundaries add to the nucleotides",
        "What the signal adds to the nucleotides",
    ),
    (
        "Does the model cut some classes of sequence more densely than others?",
        "Does the signal differ between classes of sequence?",
    ),
    (
        "; the share above 0.5, the prediction from nucleotides",
        "; the prediction from nucleotides",
    ),
    (
        "another base than A, C, G and T in or near them",
        "another base than A, C, G and T, or one without a value, in or near them",
    ),
    (
        "Minus-strand stretches are read from the reverse complement.",
        "On minus the order of the bases is reversed.",
    ),
    (
        "Even a model with random weights can show a difference here, since it too reacts to nucleotides near a position. What training added is seen by running an \
         untrained checkpoint beside a trained one.",
        "",
    ),
    (
        "It checks the method, not the model.",
        "It checks the method, not the track.",
    ),
    (
        "the model is given tiles of",
        "the value of a base belongs to the inter-base position before it in the orientation of the strand, so that at offset 0 stands the first base downstream. \
         Positions come in tiles of",
    ),
    (
        ", and neither is the first position of a tile, which is a boundary by definition",
        "",
    ),
    (
        "Sites of the minus strand are read from the reverse complement, in which inter-base position t of a tile of length L becomes L − t.",
        "On minus the order of the bases is reversed.",
    ),
    (
        "A model whose cuts mark a place on the molecule would agree with itself; one that cuts after certain nucleotides need not.",
        "One track for both strands differs between them by one base.",
    ),
    (
        "as a model that responds to k-mers gives",
        "as a signal that follows k-mers gives",
    ),
    (
        "a router that responds to dinucleotides responds to the motif’s own",
        "a signal that follows dinucleotides follows the motif’s own",
    ),
    (
        "that the model treats annotated sites otherwise than",
        "that the signal differs between annotated sites and",
    ),
    (
        "that the model treats as its nucleotides let expect",
        "with the signal that its nucleotides let expect",
    ),
    (
        "sensitivity to that motif alone",
        "a signal of that motif alone",
    ),
    (
        "The probability of the same inter-base position",
        "The signal at the same inter-base position",
    ),
    ("Probability less prediction", "Signal less prediction"),
    (
        "with every probability averaged",
        "with every value averaged",
    ),
    ("boundary probabilities", "signal"),
    ("boundary probability", "signal"),
    ("Boundary probability", "Signal"),
    ("The model read", "Read were"),
    ("and the model is read once", "and the track is read once"),
    ("the model", "the track"),
];

/// The report in the words that fit what was read. What the user named stays as it is.
pub(super) fn report(about: &About, report: Report) -> Report {
    let paths = about.inputs.iter().flat_map(|input| {
        [
            input.path.as_str(),
            input.path.rsplit('/').next().unwrap_or_default(),
        ]
    });
    let mut names: Vec<&str> = paths
        .chain([about.command.as_str()])
        .filter(|name| of_a_track(name) != *name)
        .collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    if about.signal {
        report.with_texts(&|text| reworded(text, &names))
    } else {
        report
    }
}

fn of_a_track(text: &str) -> String {
    OF_A_TRACK
        .iter()
        .fold(text.to_string(), |text, (of_a_model, of_a_track)| {
            text.replace(of_a_model, of_a_track)
        })
}

/// The text with other words between the `names`, of which longer ones come first.
fn reworded(text: &str, names: &[&str]) -> String {
    let Some((name, rest)) = names.split_first() else {
        return of_a_track(text);
    };
    text.split(name)
        .map(|between| reworded(between, rest))
        .collect::<Vec<_>>()
        .join(name)
}

/// The name of the values in figures.
pub(super) fn quantity(about: &About) -> &'static str {
    if about.signal {
        "signal"
    } else {
        "boundary probability"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::provenance::Input;
    use crate::report::{Block, Section};

    #[test]
    fn what_the_user_named_stays() {
        let path = "/home/me/the model/boundary probability.fa";
        let about = About {
            genome: "genome boundary probability.fa".into(),
            annotation: String::new(),
            model: "signal x.bw".into(),
            bundled: false,
            signal: true,
            tool: "t".into(),
            command: format!("ldar-analyze density --genome '{path}' --signal x.bw"),
            inputs: vec![Input {
                role: "genome".into(),
                path: path.into(),
                bytes: 1,
                sha256: "0".into(),
            }],
        };
        let blocks = vec![
            Block::Paragraph(format!(
                "t. To run it again: {}. Here the model gives a boundary probability.",
                about.command
            )),
            Block::Paragraph(format!("{path} and the model")),
        ];
        let made = Report {
            subtitle: about.genome.clone(),
            sections: vec![Section {
                title: "the model".into(),
                blocks,
            }],
            ..Report::default()
        };
        let texts = report(&about, made);
        assert_eq!(texts.subtitle, about.genome);
        assert_eq!(texts.sections[0].title, "the track");
        let expected = [
            format!(
                "t. To run it again: {}. Here the track gives a signal.",
                about.command
            ),
            format!("{path} and the track"),
        ];
        assert_eq!(texts.sections[0].blocks, expected.map(Block::Paragraph));
    }
}
