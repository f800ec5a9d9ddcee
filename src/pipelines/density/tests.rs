use super::*;
use crate::genome::sequence::{gc_fraction, model_letters};
use crate::pipelines::Stretch as Letters;

const GENES: usize = 40;
const SPACING: usize = 3000;
/// Twenty letters: what a position within eight of it sees does not tell all of it.
const MARK: &[u8] = b"ACCTGATTGCAAGGCTTACA";

/// Before GA 0.9, elsewhere 0.1: of the letters that controls are not matched for.
struct CutsGa;

/// 0.8 within 40 bases after the mark, else 0.2.
struct Marked;

/// The same for all positions.
struct Flat;

fn by(stretches: &[Letters<'_>], value: impl Fn(&[u8], usize) -> f32) -> Result<Vec<Vec<f32>>> {
    let of = |s: &[u8]| {
        (0..s.len())
            .map(|t| if t == 0 { 1.0 } else { value(s, t) })
            .collect()
    };
    Ok(stretches.iter().map(|s| of(&s.letters)).collect())
}

impl BoundarySource for CutsGa {
    fn read(&self, stretches: &[Letters<'_>]) -> Result<Vec<Vec<f32>>> {
        by(
            stretches,
            |s, t| if s[t..].starts_with(b"GA") { 0.9 } else { 0.1 },
        )
    }
}

impl BoundarySource for Marked {
    fn read(&self, stretches: &[Letters<'_>]) -> Result<Vec<Vec<f32>>> {
        by(stretches, |s, t| {
            if s[t.saturating_sub(60)..t]
                .windows(MARK.len())
                .any(|w| w == MARK)
            {
                0.8
            } else {
                0.2
            }
        })
    }
}

impl BoundarySource for Flat {
    fn read(&self, stretches: &[Letters<'_>]) -> Result<Vec<Vec<f32>>> {
        by(stretches, |_, _| 0.4)
    }
}

/// Genes of two coding exons of 500 bases and an intron of 400 on alternating strands, letters all
/// alike but for what `exon` does to those of an exon, on its strand.
fn world(exon: impl Fn(&mut [u8])) -> (tempfile::TempDir, Genome, Annotation) {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = Rng::new(11);
    let mut sequence: Vec<u8> = (0..GENES * SPACING + 2000)
        .map(|_| b"ACGT"[rng.below(4)])
        .collect();
    let mut gtf = String::new();
    for gene in 0..GENES {
        let (at, strand) = (
            1500 + gene * SPACING,
            if gene % 2 == 0 {
                Strand::Plus
            } else {
                Strand::Minus
            },
        );
        for (from, to) in [(at, at + 500), (at + 900, at + 1400)] {
            let mut letters = model_letters(&sequence[from..to], strand);
            exon(&mut letters);
            sequence[from..to].copy_from_slice(&model_letters(&letters, strand));
            let names = format!("gene_id \"g{gene}\"; transcript_id \"t{gene}\";");
            for kind in ["exon", "CDS"] {
                gtf += &format!(
                    "1\tt\t{kind}\t{}\t{to}\t.\t{strand}\t.\t{names}\n",
                    from + 1
                );
            }
        }
    }
    let (fasta, annotation) = (folder.path().join("g.fa"), folder.path().join("g.gtf"));
    std::fs::write(
        &fasta,
        format!(">1\n{}\n", String::from_utf8(sequence).unwrap()),
    )
    .unwrap();
    std::fs::write(&annotation, gtf).unwrap();
    let (genome, annotation) = (
        Genome::open(&fasta).unwrap(),
        Annotation::open(&annotation).unwrap(),
    );
    (folder, genome, annotation)
}

fn request() -> DensityRequest {
    DensityRequest {
        context: 800,
        margin: 100,
        permutations: 2000,
        bootstraps: 400,
        ..DensityRequest::default()
    }
}

fn find(exon: impl Fn(&mut [u8]), model: &dyn BoundarySource, request: &DensityRequest) -> Density {
    let (_folder, genome, annotation) = world(exon);
    run(&genome, &annotation, (model, None), request, &|_| ()).unwrap()
}

fn row<'a>(found: &'a Density, class: &str, measure: &str) -> &'a StatisticsRow {
    found
        .statistics
        .iter()
        .find(|row| row.class == class && row.measure == measure)
        .unwrap()
}

/// Turns every fifth pair of letters into GA: half of it G+C, as everywhere.
fn rich_in_ga(letters: &mut [u8]) {
    letters
        .chunks_exact_mut(2)
        .step_by(5)
        .for_each(|pair| pair.copy_from_slice(b"GA"));
}

fn marked(letters: &mut [u8]) {
    letters
        .chunks_exact_mut(100)
        .for_each(|chunk| chunk[10..30].copy_from_slice(MARK));
}

#[test]
fn a_difference_of_letters_is_found_and_explained_by_letters() {
    let found = find(rich_in_ga, &CutsGa, &request());
    for measure in ["probability", "density", "predicted"] {
        let cds = row(&found, "cds", measure);
        assert!(cds.n_pairs > 150 && cds.n_clusters > 30, "{cds:?}");
        assert!(cds.difference > 0.02 && cds.ci_low > 0.0, "{cds:?}");
        // What one table predicts for all units is no sample of units.
        assert!(
            if measure == "predicted" {
                cds.p_value.is_nan() && cds.p_bh.is_nan()
            } else {
                cds.p_bh < 0.01
            },
            "{cds:?}"
        );
    }
    // Two letters decide, and the table has eight on either side.
    assert!(found.baseline[7].r2 > 0.99, "{:?}", found.baseline);
    for row in found
        .statistics
        .iter()
        .filter(|row| row.measure == "residual" && row.n_pairs > 0)
    {
        assert!(row.difference.abs() < 0.003, "{row:?}");
    }
}

#[test]
fn a_second_source_reads_the_same_pairs() {
    let (_folder, genome, annotation) = world(rich_in_ga);
    let run = |sources| super::run(&genome, &annotation, sources, &request(), &|_| ()).unwrap();
    let found = run((&CutsGa, Some(&Flat)));
    let alone = run((&CutsGa, None));
    assert_eq!(found.pairs, alone.pairs);
    let text = |rows: &[StatisticsRow]| serde_json::to_string(rows).unwrap();
    assert_eq!(
        text(&found.statistics[..alone.statistics.len()]),
        text(&alone.statistics)
    );
    let (own, second) = (
        row(&found, "cds", "probability"),
        row(&found, "cds", "untrained"),
    );
    assert!(own.difference > 0.02 && own.n_pairs == second.n_pairs);
    assert!(second.difference.abs() < 1e-6 && (second.class_mean - 0.4).abs() < 1e-6);
    assert!(row(&found, "cds", "untrained_residual").difference.abs() < 1e-6);
    let places = |rows: &[PairRow]| -> Vec<(u64, u64)> {
        rows.iter()
            .map(|row| (row.start, row.control_start))
            .collect()
    };
    assert_eq!(places(&found.pairs), places(&found.untrained));
    assert!(alone.untrained.is_empty() && found.bases_read == 2 * alone.bases_read);
}

#[test]
fn what_letters_nearby_do_not_tell_stays_in_the_residual() {
    let found = find(
        marked,
        &Marked,
        &DensityRequest {
            caliper: 0.1,
            ..request()
        },
    );
    let cds = row(&found, "cds", "residual");
    assert!(
        cds.difference > 0.1 && cds.ci_low > 0.05 && cds.p_bh < 0.01,
        "{cds:?}"
    );
    assert!(
        row(&found, "intron", "residual").difference < 0.0,
        "controls of introns lie in exons too"
    );
}

#[test]
fn classes_that_do_not_differ_come_out_null() {
    let found = find(|_| (), &CutsGa, &request());
    for row in found.statistics.iter().filter(|row| row.n_pairs > 0) {
        assert!(
            (row.p_bh > 0.01 || row.measure == "predicted") && row.difference.abs() < 0.02,
            "{row:?}"
        );
    }
    let tested: Vec<&str> = found
        .statistics
        .iter()
        .filter(|row| row.measure == "density" && row.n_pairs > 0)
        .map(|row| row.class.as_str())
        .collect();
    assert_eq!(
        tested,
        [
            "donor",
            "acceptor",
            "promoter",
            "exon",
            "cds",
            "intron",
            "intergenic"
        ]
    );
    let flat = find(|_| (), &Flat, &request());
    assert!(
        flat.statistics
            .iter()
            .filter(|row| row.n_pairs > 0)
            .all(|row| row.difference == 0.0 && (row.p_value == 1.0 || row.measure == "predicted"))
    );
    assert!(flat.token_lengths.is_empty());
    let null = find(
        rich_in_ga,
        &CutsGa,
        &DensityRequest {
            negative_control: true,
            ..request()
        },
    );
    assert!(
        null.negative_control
            && null
                .statistics
                .iter()
                .all(|row| row.p_bh.is_nan() || row.p_bh > 0.01),
        "{:?}",
        null.statistics
    );
}

#[test]
fn controls_are_of_the_neighbourhood_and_not_of_the_class() {
    let request = DensityRequest {
        max_per_class: 60,
        ..request()
    };
    let (_folder, genome, annotation) = world(rich_in_ga);
    let found = run(&genome, &annotation, (&CutsGa, None), &request, &|_| ()).unwrap();
    let sequence = genome.read_contig("1").unwrap();
    let genes: Vec<_> = annotation.genes.iter().collect();
    let windows = ClassWindows {
        junction_bp: 50,
        promoter: PROMOTER,
    };
    let classes = ContigClasses::new(&sequence, &genes, &windows);
    assert!(found.pairs.len() > 300);
    let mut seen = std::collections::BTreeMap::new();
    for pair in &found.pairs {
        let class = Class::ALL
            .into_iter()
            .find(|class| class.name() == pair.class)
            .unwrap();
        let part = Interval::new(pair.start as usize, pair.end as usize);
        let control = Interval::new(
            pair.control_start as usize,
            pair.control_start as usize + part.len_bp(),
        );
        let of_class = &classes.all[class as usize];
        assert!(
            of_class.iter().any(|whole| whole.contains(&part))
                && !of_class.iter().any(|whole| whole.overlaps(&control)),
            "{pair:?}"
        );
        let (gc, control_gc) = (
            gc_fraction(&sequence[part.start..part.end]),
            gc_fraction(&sequence[control.start..control.end]),
        );
        assert_eq!((gc, control_gc), (pair.gc, pair.control_gc));
        assert!(
            (gc - control_gc).abs() <= request.caliper + 1e-9
                && (LEAST_BP..=100).contains(&part.len_bp())
        );
        let (low, high) = pair
            .cluster
            .rsplit_once(':')
            .unwrap()
            .1
            .split_once('-')
            .unwrap();
        let unit = Interval::new(low.parse().unwrap(), high.parse().unwrap());
        assert!(unit.contains(&control) && control.start.abs_diff(part.start) <= NEIGHBOURHOOD_BP);
        let others: &mut Vec<Interval> = seen.entry(pair.class.clone()).or_default();
        assert!(
            others.iter().all(|other| !other.overlaps(&control)),
            "a control serves once"
        );
        others.push(control);
    }
    for row in &found.accounting {
        assert_eq!(row.n_sampled, row.n_used + row.n_no_control);
        assert!(
            row.n_sampled <= (row.n_stretches - row.n_not_plain).min(60),
            "{row:?}"
        );
    }
}

/// Every value of the tables against one reading of the whole contig.
#[test]
fn values_are_those_of_the_whole_contig_on_its_strand() {
    let (_folder, genome, annotation) = world(rich_in_ga);
    let sequence = genome.read_contig("1").unwrap();
    let whole = [Strand::Plus, Strand::Minus].map(|strand| {
        CutsGa
            .read(&[Letters::nowhere(model_letters(&sequence, strand))])
            .unwrap()
            .remove(0)
    });
    let found = run(&genome, &annotation, (&CutsGa, None), &request(), &|_| ()).unwrap();
    let values = |pair: &PairRow, start: usize, n: usize| match pair.strand.as_str() {
        "+" => &whole[0][start..],
        _ => &whole[1][sequence.len() - start - n..],
    };
    let mut lengths = std::collections::BTreeMap::new();
    for pair in &found.pairs {
        let n = (pair.end - pair.start) as usize;
        for (start, density, probability, group) in [
            (pair.start, pair.density, pair.probability, "class"),
            (
                pair.control_start,
                pair.control_density,
                pair.control_probability,
                "control",
            ),
        ] {
            let values = values(pair, start as usize, n);
            let above = values[..n].iter().filter(|v| **v > 0.5).count();
            assert!((density - above as f64 / n as f64).abs() < 1e-12);
            assert!(
                (probability - values[..n].iter().map(|v| f64::from(*v)).sum::<f64>() / n as f64)
                    .abs()
                    < 1e-12
            );
            for first in (0..n).filter(|i| values[*i] > 0.5) {
                let next = (1..=TOKEN_REACH)
                    .find(|step| values[first + step] > 0.5)
                    .unwrap_or(TOKEN_REACH + 1);
                *lengths
                    .entry((pair.class.clone(), group, next as u64))
                    .or_insert(0) += 1;
            }
        }
    }
    let told = found.token_lengths.iter().filter(|row| row.n_tokens > 0);
    assert!(told.clone().any(|row| row.length_bp == 65));
    let told: std::collections::BTreeMap<_, _> = told
        .map(|row| {
            (
                (
                    row.class.clone(),
                    if row.group == "class" {
                        "class"
                    } else {
                        "control"
                    },
                    row.length_bp,
                ),
                row.n_tokens,
            )
        })
        .collect();
    assert_eq!(told, lengths);
}

#[test]
fn the_result_does_not_depend_on_the_batch_and_does_on_the_seed() {
    let of = |batch, seed| {
        find(
            rich_in_ga,
            &CutsGa,
            &DensityRequest {
                batch,
                seed,
                max_per_class: 30,
                ..request()
            },
        )
    };
    let text = |found: &Density| serde_json::to_string(found).unwrap();
    let one = of(1, 1);
    assert_eq!(text(&one), text(&of(7, 1)));
    assert_ne!(one.pairs, of(1, 2).pairs);
}

#[test]
fn stretches_are_cut_evenly() {
    for (length, most) in [(100, 100), (101, 100), (20, 100), (399, 100), (1000, 33)] {
        let parts: Vec<Interval> = listing::cut(Interval::new(7, 7 + length), most).collect();
        assert_eq!(
            (parts[0].start, parts[parts.len() - 1].end),
            (7, 7 + length)
        );
        assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
        let lengths: Vec<usize> = parts.iter().map(Interval::len_bp).collect();
        let (least, greatest) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
        assert!(*greatest <= most && greatest - least <= 1 && parts.len() == length.div_ceil(most));
    }
    let clusters = [Interval::new(10, 20), Interval::new(40, 60)];
    assert_eq!(
        matching::neighbourhoods(&clusters, 100),
        [Interval::new(0, 30), Interval::new(30, 100)]
    );
    assert_eq!(matching::neighbourhoods(&[], 100), [Interval::new(0, 100)]);
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let (_folder, genome, annotation) = world(|_| ());
    for (request, part) in [
        (
            DensityRequest {
                context: 300,
                ..request()
            },
            "it takes 364",
        ),
        (
            DensityRequest {
                stretch_bp: 5,
                ..request()
            },
            "at least 20",
        ),
        (
            DensityRequest {
                contigs: vec!["chr9".into()],
                ..request()
            },
            "no contig 'chr9'",
        ),
    ] {
        let message = run(&genome, &annotation, (&CutsGa, None), &request, &|_| ())
            .unwrap_err()
            .to_string();
        assert!(message.contains(part), "{message}");
    }
}
