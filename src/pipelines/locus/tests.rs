use super::*;
use crate::genome::sequence::reverse_complement;
use crate::motifs::Motif;
use crate::pipelines::Stretch;
use crate::stats::rng::Rng;

/// Cuts before every CpG, in the letters it is given: 0.9 there, 0.1 elsewhere.
struct CpG;

impl BoundarySource for CpG {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let value = |s: &[u8], t: usize| {
            if t == 0 {
                1.0
            } else if s[t..].starts_with(b"CG") {
                0.9
            } else {
                0.1
            }
        };
        Ok(stretches
            .iter()
            .map(|s| (0..s.letters.len()).map(|t| value(&s.letters, t)).collect())
            .collect())
    }
}

/// One gene of three exons on plus and its mirror image on minus, of 2000 bases each.
fn world(folder: &std::path::Path) -> (Genome, Annotation) {
    let mut rng = Rng::new(3);
    let half: Vec<u8> = (0..2000).map(|_| b"ACGT"[rng.below(4)]).collect();
    let sequence = [half.clone(), reverse_complement(&half)].concat();
    let fasta = folder.join("g.fa");
    std::fs::write(
        &fasta,
        format!(">chr1\n{}\n", String::from_utf8(sequence).unwrap()),
    )
    .unwrap();
    let mut gtf = String::new();
    for (name, strand) in [("up", '+'), ("down", '-')] {
        for (start, end) in [(500, 700), (900, 1100), (1500, 1700)] {
            let (start, end) = if strand == '+' {
                (start, end)
            } else {
                (4000 - end, 4000 - start)
            };
            gtf += &format!(
                "1\tt\texon\t{}\t{end}\t.\t{strand}\t.\tgene_id \"g{name}\"; transcript_id \"t{name}\"; gene_name \"{name}\";\n",
                start + 1
            );
        }
    }
    let annotation = folder.join("g.gtf");
    std::fs::write(&annotation, gtf).unwrap();
    (
        Genome::open(&fasta).unwrap(),
        Annotation::open(&annotation).unwrap(),
    )
}

fn request(place: Target) -> LocusRequest {
    LocusRequest {
        place,
        motifs: "mine".into(),
        p: 1e-3,
        batch: 3,
    }
}

fn gene(name: &str, around: &str) -> Target {
    Target::Gene {
        name: name.into(),
        around: around.into(),
        flank_bp: 150,
    }
}

fn reader(context_bp: usize) -> NamedSource<'static> {
    NamedSource {
        name: "toy".into(),
        source: &CpG,
        shape: TileShape {
            context_bp,
            margin_bp: 10,
        },
    }
}

fn find(place: Target, context_bp: usize) -> Result<Locus> {
    let folder = tempfile::tempdir().unwrap();
    let (genome, annotation) = world(folder.path());
    let word = Motif::new(
        "w",
        "word",
        vec![
            [0.0, 20.0, 0.0, 0.0],
            [0.0, 0.0, 20.0, 0.0],
            [0.0, 20.0, 0.0, 0.0],
            [20.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 20.0],
        ],
        20.0,
    );
    let queries = [Query {
        motif: word.unwrap(),
        element: None,
    }];
    run(
        &genome,
        Some(&annotation),
        &queries,
        &[reader(context_bp)],
        &request(place),
        &|_| (),
    )
}

#[test]
fn boundaries_are_those_of_the_letters_whatever_the_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let sequence = world(folder.path()).0.read_contig("chr1").unwrap();
    let place = || Target::Region {
        contig: "1".into(),
        interval: Interval::new(1000, 1900),
        strand: Strand::Plus,
    };
    let found = find(place(), 10_000).unwrap();
    let cpg: Vec<u64> = (1000..=1900)
        .filter(|t| sequence[*t..].starts_with(b"CG"))
        .map(|t| t as u64)
        .collect();
    let kept: Vec<u64> = found
        .positions
        .iter()
        .filter(|row| row.is_boundary)
        .map(|row| row.position)
        .collect();
    assert!(kept == cpg && cpg.len() > 30 && found.positions.len() == 901);
    let row = &found.series[0];
    assert_eq!((row.n_positions, row.n_boundaries), (901, cpg.len() as u64));
    assert!(
        (row.mean_token_bp - 901.0 / cpg.len() as f64).abs() < 1e-12
            && (row.density * row.mean_token_bp - 1.0).abs() < 1e-12
    );
    // Tokens tile the window; the first and the last are cut by it.
    let joined: String = found
        .tokens
        .iter()
        .map(|token| token.letters.as_str())
        .collect();
    assert_eq!(joined, found.frame.letters);
    let cut: Vec<usize> = found
        .tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| !token.complete)
        .map(|(i, _)| i)
        .collect();
    assert_eq!(cut, [0, found.tokens.len() - 1]);
    for context in [60, 333] {
        assert_eq!(
            find(place(), context).unwrap().positions,
            found.positions,
            "{context}"
        );
    }
}

#[test]
fn a_mirrored_gene_gives_the_mirrored_window() {
    for around in ["tss", "donor:2", "acceptor:1"] {
        let (up, down) = (
            find(gene("up", around), 400).unwrap(),
            find(gene("down", around), 400).unwrap(),
        );
        let turned: Vec<(u64, bool)> = down
            .positions
            .iter()
            .rev()
            .map(|row| (4000 - row.position, row.is_boundary))
            .collect();
        assert_eq!(
            up.positions
                .iter()
                .map(|row| (row.position, row.is_boundary))
                .collect::<Vec<_>>(),
            turned,
            "{around}"
        );
        assert_eq!(up.frame.anchor.map(|t| 4000 - t), down.frame.anchor);
        let letters = |found: &Locus| {
            found
                .tokens
                .iter()
                .map(|token| token.letters.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            letters(&up),
            letters(&down).into_iter().rev().collect::<Vec<_>>()
        );
        assert_eq!(up.sites.len(), down.sites.len());
        assert_eq!(up.series[0].n_sites_hit, down.series[0].n_sites_hit);
        assert_eq!(up.hits.len(), down.hits.len());
    }
}

#[test]
fn sites_and_what_the_density_gives_are_counted() {
    let found = find(gene("up", "donor:1"), 4000).unwrap();
    assert_eq!(found.frame.interval, Interval::new(550, 850));
    assert_eq!(
        found
            .sites
            .iter()
            .map(|site| (site.site_kind.as_str(), site.position))
            .collect::<Vec<_>>(),
        [("donor", 700)]
    );
    let kept: Vec<u64> = found
        .positions
        .iter()
        .filter(|row| row.is_boundary)
        .map(|row| row.position)
        .collect();
    let near = |t: u64| kept.iter().any(|b| b.abs_diff(t) <= 2);
    let share = (552..=848).filter(|t| near(*t)).count() as f64 / 297.0;
    assert!((found.series[0].expected_sites_hit - share).abs() < 1e-12);
    assert_eq!(found.series[0].n_sites_hit == 1, near(700));
    assert_eq!(
        found.sites[0].boundary_distance_bp,
        kept.iter().map(|b| b.abs_diff(700)).min()
    );
    // Of the gene, what reaches into the window.
    let parts: Vec<(&str, u64)> = found
        .genes
        .iter()
        .map(|row| (row.feature.as_str(), row.start))
        .collect();
    assert_eq!(parts, [("transcript", 500), ("exon", 500)]);
    let matched: Vec<&str> = found.hits.iter().map(|hit| hit.matched.as_str()).collect();
    assert!(matched.iter().all(|word| *word == "CGCAT"));
}

/// The number of each place, as a track.
struct Numbers;

impl BoundarySource for Numbers {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let of = |s: &Stretch<'_>| {
            let place = s.place.unwrap();
            (0..s.letters.len())
                .map(|t| {
                    if place.strand == Strand::Plus {
                        place.bases.start + t
                    } else {
                        place.bases.end - t
                    }
                })
                .collect::<Vec<_>>()
        };
        Ok(stretches
            .iter()
            .map(|s| of(s).into_iter().map(|t| t as f32).collect())
            .collect())
    }

    fn values(&self) -> Values {
        Values::Signal
    }
}

#[test]
fn a_track_is_shown_as_it_is_and_cuts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (genome, annotation) = world(folder.path());
    let track = NamedSource {
        name: "track".into(),
        source: &Numbers,
        shape: TileShape {
            context_bp: 70,
            margin_bp: 1,
        },
    };
    for name in ["up", "down"] {
        let readers = [
            reader(400),
            NamedSource {
                name: track.name.clone(),
                source: track.source,
                shape: track.shape,
            },
        ];
        let found = run(
            &genome,
            Some(&annotation),
            &[],
            &readers,
            &request(gene(name, "tss")),
            &|_| (),
        )
        .unwrap();
        assert_eq!(
            (found.series.len(), found.tracks.as_slice()),
            (1, &["track".to_string()][..])
        );
        let of_track: Vec<_> = found
            .positions
            .iter()
            .filter(|row| row.series == "track")
            .collect();
        assert!(
            of_track.len() == 301
                && of_track
                    .iter()
                    .all(|row| row.boundary_prob == row.position as f64 && !row.is_boundary)
        );
        assert!(
            found.tokens.iter().all(|token| token.series == "toy")
                && found.sites.iter().all(|site| site.series == "toy")
        );
    }
}

#[test]
fn the_ends_of_a_contig_are_no_positions() {
    let place = Target::Region {
        contig: "chr1".into(),
        interval: Interval::new(0, 4000),
        strand: Strand::Minus,
    };
    let found = find(place, 10_000).unwrap();
    assert_eq!(
        (
            found.positions.len(),
            found.positions[0].position,
            found.positions[3998].position
        ),
        (3999, 1, 3999)
    );
}

#[test]
fn places_that_are_not_there_are_named() {
    let region = |contig: &str, start, end| Target::Region {
        contig: contig.into(),
        interval: Interval::new(start, end),
        strand: Strand::Plus,
    };
    for (place, part) in [
        (region("chr2", 0, 100), "no contig 'chr2'"),
        (region("chr1", 3950, 4050), "which has 4000 bases"),
        (region("chr1", 0, 4), "10 to 5000"),
        (gene("nobody", "tss"), "no gene 'nobody'"),
        (gene("up", "donor:3"), "2 introns, so no donor 3"),
        (gene("up", "cds-start"), "no coding sequence"),
    ] {
        let message = find(place, 400).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
}
