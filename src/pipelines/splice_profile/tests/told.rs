//! Sites told from decoys, end to end.

use super::*;
use crate::pipelines::comparison::discrimination::{Discrimination, DiscriminationRow};

/// Knows the annotated positions: four bases after each, whatever the letters. The rest is noise by
/// place.
struct Knows(BTreeSet<(Strand, usize)>);

impl BoundarySource for Knows {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let one = |stretch: &Stretch<'_>| {
            let place = stretch.place.unwrap();
            let at = |t: usize| match place.strand {
                Strand::Plus => place.bases.start + t,
                Strand::Minus => place.bases.end - t,
            };
            let value = |t: usize| {
                let noise = 0.3
                    * Rng::new(at(t) as u64)
                        .derive(if place.strand == Strand::Plus {
                            "+"
                        } else {
                            "-"
                        })
                        .uniform();
                let known = t >= 4 && self.0.contains(&(place.strand, at(t - 4)));
                (noise + if known { 0.6 } else { 0.0 }) as f32
            };
            (0..stretch.letters.len()).map(value).collect()
        };
        Ok(stretches.iter().map(one).collect())
    }
}

fn row<'a>(found: &'a Discrimination, kind: &str, features: &str) -> &'a DiscriminationRow {
    found
        .discrimination
        .iter()
        .find(|row| (&*row.site_kind, &*row.control, &*row.features) == (kind, "decoy", features))
        .unwrap()
}

#[test]
fn what_letters_tell_and_what_they_do_not() {
    let (_folder, genome, annotation) = world(48);
    let plain = run(&genome, &annotation, &Motif, &request(), &|_| ()).unwrap();
    let found = &plain.comparison.discrimination;
    // GTAAGT stands at donors alone: nucleotides and boundaries say the same.
    let (letters, boundaries) = (
        row(found, "donor", "letters"),
        row(found, "donor", "boundaries"),
    );
    assert!(
        letters.auroc > 0.99 && boundaries.auroc > 0.99 && boundaries.p_value < 0.01,
        "{letters:?} {boundaries:?}"
    );
    assert!(
        letters.n_sites > 80
            && letters.n_controls > 3 * letters.n_sites
            && letters.n_clusters == 36,
        "{letters:?}"
    );
    // At acceptors there is nothing to tell, and nothing is.
    let boundaries = row(found, "acceptor", "boundaries");
    assert!(
        boundaries.auroc_low <= 0.5 && boundaries.auroc_high >= 0.5 && boundaries.p_value > 0.02,
        "{boundaries:?}"
    );
    let cuts: Vec<_> = found
        .cuts
        .iter()
        .filter(|cut| cut.site_kind == "donor" && cut.control == "decoy")
        .collect();
    assert_eq!((cuts.len(), cuts[0].offset, cuts[10].offset), (21, -10, 0));
    assert!(
        cuts[10].rate_sites == 1.0
            && cuts[10].rate_controls == 0.0
            && cuts[10].odds_ratio > 100.0
            && cuts[10].p_maxt < 0.01
    );
    assert!(cuts[4].rate_sites == 0.0 && cuts[4].p_maxt == 1.0);
    let difference = found
        .difference
        .iter()
        .find(|d| d.site_kind == "donor" && d.control == "decoy" && d.offset == 0)
        .unwrap();
    assert!(
        (difference.difference - 0.875).abs() < 1e-6,
        "{difference:?}"
    );

    let sites = plain
        .sites
        .iter()
        .map(|site| {
            (
                if site.strand == "+" {
                    Strand::Plus
                } else {
                    Strand::Minus
                },
                site.position as usize,
            )
        })
        .collect();
    let knows = run(&genome, &annotation, &Knows(sites), &request(), &|_| ()).unwrap();
    let found = &knows.comparison.discrimination;
    let (letters, both) = (
        row(found, "acceptor", "letters"),
        row(found, "acceptor", "letters+boundaries"),
    );
    assert!(
        letters.auroc < 0.65 && both.auroc > 0.98 && both.p_value < 0.01,
        "{letters:?} {both:?}"
    );
    let gain = found
        .effects
        .iter()
        .find(|e| e.site_kind == "acceptor" && e.control == "decoy" && e.statistic == "gain_bits")
        .unwrap();
    assert!(
        gain.value > 0.6 && gain.low > 0.4 && gain.high >= gain.value,
        "{gain:?}"
    );
    let named: Vec<i64> = (found.conditional.iter())
        .filter(|c| c.site_kind == "acceptor" && c.control == "decoy" && c.p_maxt <= 0.01)
        .map(|c| c.offset)
        .collect();
    assert_eq!(named, [4]);
}

#[test]
fn too_few_genes_are_not_estimable_and_controls_are_not_told_from_controls() {
    let (_folder, genome, annotation) = world(8);
    let found = run(&genome, &annotation, &Motif, &request(), &|_| ())
        .unwrap()
        .comparison
        .discrimination;
    assert!(
        found
            .decoys
            .iter()
            .any(|row| row.note.contains("at least 40 are needed")),
        "{:?}",
        found.decoys
    );
    assert!(
        found
            .discrimination
            .iter()
            .all(|row| row.auroc.is_nan() && row.p_value.is_nan())
            && found.discrimination.len() >= 3
    );
    assert!(found.conditional.is_empty() && found.cuts.is_empty());
    let null = with(|c| c.negative_control = true);
    let found = run(&genome, &annotation, &Motif, &null, &|_| ())
        .unwrap()
        .comparison
        .discrimination;
    assert!(found.decoys.is_empty() && found.discrimination.is_empty());
}

/// A reference gives rows of its own and changes no other.
#[test]
fn a_reference_stands_beside() {
    let (_folder, genome, annotation) = world(36);
    let alone = run(&genome, &annotation, &Motif, &request(), &|_| ())
        .unwrap()
        .comparison
        .discrimination;
    let asked = SpliceProfileRequest {
        untrained: true,
        ..request()
    };
    let beside = run_beside(
        &genome,
        &annotation,
        &[],
        (&Motif, Some(&Noise(4))),
        &asked,
        &|_| (),
    )
    .unwrap()
    .comparison
    .discrimination;
    let reference = row(&beside, "donor", "untrained");
    assert!(reference.auroc < row(&beside, "donor", "boundaries").auroc);
    let others: Vec<_> = beside
        .discrimination
        .iter()
        .filter(|row| !row.features.contains("untrained"))
        .cloned()
        .collect();
    assert_eq!(format!("{others:?}"), format!("{:?}", alone.discrimination));
}
