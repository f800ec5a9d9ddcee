use super::*;
use crate::bundled;
use crate::pipelines::{MASKED, Stretch};
use crate::stats::context::codes;

/// A boundary by the letters on both sides alone, and by [MASK] as by a fifth letter.
struct Pairs;

impl BoundarySource for Pairs {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let code = |b: u8| {
            if b == MASKED {
                9
            } else {
                usize::from(codes(&[b])[0])
            }
        };
        let value = |letters: &[u8], t: usize| match t {
            0 => 1.0,
            t => ((7 * code(letters[t - 1]) + 5 * code(letters[t]) + 3) % 16) as f32 / 16.0,
        };
        Ok(stretches
            .iter()
            .map(|s| (0..s.letters.len()).map(|t| value(&s.letters, t)).collect())
            .collect())
    }
}

/// A boundary by a letter five bases before, so that edits reach further than they touch.
struct Far;

impl BoundarySource for Far {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let value = |letters: &[u8], t: usize| {
            if t < 6 {
                1.0
            } else {
                f32::from(codes(&[letters[t - 6]])[0].min(3)) / 4.0
            }
        };
        Ok(stretches
            .iter()
            .map(|s| (0..s.letters.len()).map(|t| value(&s.letters, t)).collect())
            .collect())
    }
}

fn request(negative_control: bool) -> StabilityRequest {
    let mut sites = SpliceProfileRequest {
        max_sites: Some(120),
        ..SpliceProfileRequest::default()
    };
    let comparison = &mut sites.comparison;
    (
        comparison.context,
        comparison.margin,
        comparison.flank,
        comparison.negative_control,
    ) = (400, 40, 40, negative_control);
    (comparison.permutations, comparison.bootstraps) = (500, 200);
    StabilityRequest {
        sites,
        places: 60,
        reach: 40,
    }
}

fn stability(model: &dyn BoundarySource, request: &StabilityRequest) -> Stability {
    run(
        &bundled::genome().unwrap(),
        &bundled::annotation().unwrap(),
        &[model, &Pairs],
        request,
        &|_| (),
    )
    .unwrap()
}

#[test]
fn a_function_of_two_letters_is_seen_as_one() {
    let found = stability(&Pairs, &request(false));
    assert_eq!(found.n_places, 60);
    assert!(found.n_pairs > 150, "{}", found.n_pairs);
    for row in found.distances.iter().filter(|row| {
        row.group == "random" && !row.kind.ends_with("share") && row.kind != "other_strand"
    }) {
        assert!(row.distance == 0 || row.change < 1e-6, "{row:?}"); // what the table sums is rounded
    }
    let of = |kind: &str| {
        found
            .summary
            .iter()
            .find(|row| row.model == MODEL && row.kind == kind && row.group == "random")
            .unwrap()
    };
    assert_eq!((of("shift").change, of("half_context").change), (0.0, 0.0));
    assert!(of("other_strand").change > 1.0 && of("snv").change > 0.1);
    assert_eq!((of("snv").reach_95, of("snv").n), (0, 60));
    // The table knows all that such a model knows.
    let row = |name: &str| {
        found
            .comparisons
            .iter()
            .find(|row| row.comparison == name && row.measure == "change")
            .unwrap()
    };
    assert!(
        row("SNV: model − letters nearby").difference.abs() < 0.02,
        "{:?}",
        row("SNV: model − letters nearby")
    );
    assert!(row("SNV: model − untrained").difference == 0.0);
    for kind in ["donor", "acceptor"] {
        let beyond = row(&format!("{kind}, beyond letters"));
        assert!(
            beyond.difference.abs() < 0.02 && beyond.n > 50,
            "{beyond:?}"
        );
    }
    // Both windows of a pair have the same core letters and the same new one.
    let cores: Vec<&EditRow> = found
        .edits
        .iter()
        .filter(|row| row.model == MODEL && row.group.starts_with("donor"))
        .collect();
    assert_eq!(
        cores.iter().filter(|row| row.group == "donor").count() * 2,
        cores.len()
    );
    assert_eq!(found.map.len(), 3 * 2 * MAP_BP);
}

#[test]
fn edits_reach_as_far_as_the_model_sees() {
    let found = stability(&Far, &request(false));
    let seen = |kind: &str| -> Vec<u64> {
        let rows = found
            .distances
            .iter()
            .filter(|row| row.model == MODEL && row.group == "random" && row.kind == kind);
        rows.filter(|row| row.change > 0.0)
            .map(|row| row.distance)
            .collect()
    };
    // Six letters on, in one direction: five bases lie between the edit and that position.
    assert_eq!(seen("snv"), [5]);
    assert!(seen("deletion_1").iter().all(|distance| *distance <= 5));
    assert!(seen("shift").is_empty());
    let snv = found
        .summary
        .iter()
        .find(|row| row.model == MODEL && row.kind == "snv" && row.group == "random")
        .unwrap();
    assert_eq!(snv.reach_95, 5);
}

/// Controls against other controls, with a model to which only their letters matter: tests of one
/// level reject about as often as they say.
#[test]
#[ignore = "a minute"]
fn null_pairs_are_rejected_as_often_as_the_level_says() {
    let (mut rejected, mut tests) = (0, 0);
    for seed in 1..=200 {
        let mut request = request(true);
        request.sites.comparison.seed = seed;
        request.places = 1;
        let found = stability(&Pairs, &request);
        for name in ["donor core − elsewhere", "acceptor core − elsewhere"] {
            let row = found
                .comparisons
                .iter()
                .find(|row| row.comparison == name && row.measure == "change")
                .unwrap();
            rejected += u32::from(row.p_value <= 0.05);
            tests += 1;
        }
    }
    let share = f64::from(rejected) / f64::from(tests);
    println!("{rejected} of {tests}: {share:.3}");
    assert!((0.02..=0.085).contains(&share), "{rejected} of {tests}");
}
