use super::*;
use crate::genome::sequence::model_letters;
use crate::stats::rng::Rng;

/// Its value at `t` depends on the `reach` bases on either side and on nothing else.
struct Local {
    reach: usize,
}

impl BoundarySource for Local {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let value = |sequence: &[u8], t: usize| {
            let around =
                &sequence[t.saturating_sub(self.reach)..(t + self.reach).min(sequence.len())];
            let hash = around.iter().fold(7u64, |h, b| {
                (h ^ u64::from(*b))
                    .wrapping_mul(0x0100_0000_01b3)
                    .rotate_left(5)
            });
            (hash % 1_000_003) as f32 / 1_000_003.0
        };
        Ok(stretches
            .iter()
            .map(|s| &s.letters)
            .map(|s| {
                (0..s.len())
                    .map(|t| if t == 0 { 1.0 } else { value(s, t) })
                    .collect()
            })
            .collect())
    }
}

fn sequence(len: usize) -> Vec<u8> {
    let mut rng = Rng::new(2);
    (0..len).map(|_| b"ACGTacgtN"[rng.below(9)]).collect()
}

fn on(sequence: &[u8], strand: Strand) -> ContigStrand<'_> {
    ContigStrand {
        contig: "c",
        sequence,
        strand,
    }
}

fn read(
    sequence: &[u8],
    strand: Strand,
    windows: &[Window],
    shape: &TileShape,
    model: &dyn BoundarySource,
) -> (Vec<Vec<f32>>, u64) {
    let tiles = plan(windows.to_vec(), sequence.len(), shape).unwrap();
    let (mut found, mut bases) = (vec![Vec::new(); windows.len()], 0);
    read_tiles(
        on(sequence, strand),
        &tiles,
        3,
        model,
        &mut |tile, _| bases += tile.bases.len_bp() as u64,
        &mut |i, v| {
            assert!(found[i].is_empty());
            found[i] = v.to_vec();
        },
    )
    .unwrap();
    (found, bases)
}

#[test]
fn tiles_say_what_one_reading_of_the_contig_says() {
    let (len, model) = (5000, Local { reach: 30 });
    let sequence = sequence(len);
    let mut rng = Rng::new(9);
    for (count, shape) in [
        (3, (400, 30)),
        (60, (400, 30)),
        (60, (300, 100)),
        (400, (1000, 30)),
        (50, (9000, 30)),
    ] {
        let shape = TileShape {
            context_bp: shape.0,
            margin_bp: shape.1,
        };
        let mut windows: Vec<Window> = (0..count)
            .map(|_| 1 + rng.below(len - 42))
            .map(|low| Window {
                low,
                high: low + 40,
            })
            .collect();
        windows.extend([
            Window { low: 1, high: 41 },
            Window {
                low: len - 41,
                high: len - 1,
            },
        ]);
        let whole = model
            .read(&[Stretch::nowhere(model_letters(&sequence, Strand::Plus))])
            .unwrap()
            .remove(0);
        let (found, bases) = read(&sequence, Strand::Plus, &windows, &shape, &model);
        for (window, values) in windows.iter().zip(&found) {
            assert_eq!(
                values,
                &whole[window.low..=window.high],
                "{window:?} {shape:?}"
            );
        }
        assert!(bases <= (windows.len() * shape.context_bp) as u64);
        let turned = model
            .read(&[Stretch::nowhere(model_letters(&sequence, Strand::Minus))])
            .unwrap()
            .remove(0);
        let (found, _) = read(&sequence, Strand::Minus, &windows, &shape, &model);
        for (window, values) in windows.iter().zip(&found) {
            assert_eq!(
                values,
                &turned[len - window.high..=len - window.low],
                "{window:?} {shape:?}"
            );
        }
    }
}

#[test]
fn dense_windows_share_tiles_and_sparse_ones_are_centred() {
    let shape = TileShape {
        context_bp: 1000,
        margin_bp: 100,
    };
    let dense: Vec<Window> = (0..200)
        .map(|i| Window {
            low: 5000 + 10 * i,
            high: 5040 + 10 * i,
        })
        .collect();
    let tiles = plan(dense.clone(), 20_000, &shape).unwrap().tiles;
    assert_eq!(tiles.len(), 3); // 2031 positions, 801 a tile
    for tile in &tiles {
        for window in tile.windows.iter().map(|w| dense[*w]) {
            assert!(window.low >= tile.bases.start + 100 && window.high + 100 <= tile.bases.end);
        }
    }
    let lonely = plan(
        vec![Window {
            low: 9980,
            high: 10_020,
        }],
        20_000,
        &shape,
    )
    .unwrap()
    .tiles;
    assert_eq!(
        lonely,
        [Tile {
            bases: Interval::new(9500, 10_500),
            windows: vec![0]
        }]
    );
    let edge = plan(vec![Window { low: 3, high: 43 }], 20_000, &shape)
        .unwrap()
        .tiles;
    assert_eq!(edge[0].bases, Interval::new(0, 1000));
    assert_eq!(
        plan(vec![Window { low: 3, high: 43 }], 50, &shape)
            .unwrap()
            .tiles[0]
            .bases,
        Interval::new(0, 50)
    );
    assert!(plan(Vec::new(), 50, &shape).unwrap().tiles.is_empty());
}

#[test]
fn what_cannot_be_read_is_refused() {
    let shape = TileShape {
        context_bp: 100,
        margin_bp: 30,
    };
    assert!(
        plan(
            vec![Window {
                low: 500,
                high: 560
            }],
            1000,
            &shape
        )
        .unwrap_err()
        .to_string()
        .contains("longer context")
    );
    assert!(plan(vec![Window { low: 0, high: 10 }], 1000, &shape).is_err());
    assert!(
        plan(
            vec![Window {
                low: 990,
                high: 1000
            }],
            1000,
            &shape
        )
        .is_err()
    );
    struct Bad(f32, usize);
    impl BoundarySource for Bad {
        fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
            Ok(stretches
                .iter()
                .map(|s| &s.letters)
                .map(|s| vec![self.0; s.len() - self.1])
                .collect())
        }
    }
    let (sequence, windows) = (
        sequence(1000),
        [Window {
            low: 500,
            high: 510,
        }],
    );
    let tiles = plan(windows.to_vec(), 1000, &shape).unwrap();
    for bad in [Bad(0.5, 1), Bad(f32::NAN, 0), Bad(1.5, 0)] {
        assert!(
            read_tiles(
                on(&sequence, Strand::Plus),
                &tiles,
                4,
                &bad,
                &mut |_, _| (),
                &mut |_, _| ()
            )
            .is_err()
        );
    }
}

#[test]
fn a_span_of_many_tiles_has_no_seam_and_runs_with_the_genome() {
    let (len, model) = (3000, Local { reach: 20 });
    let sequence = sequence(len);
    let whole = model
        .read(&[Stretch::nowhere(model_letters(&sequence, Strand::Plus))])
        .unwrap()
        .remove(0);
    let mut turned = model
        .read(&[Stretch::nowhere(model_letters(&sequence, Strand::Minus))])
        .unwrap()
        .remove(0);
    turned.reverse(); // index i is now position i + 1
    for context_bp in [41, 97, 1000, 2999, 3000, 5000] {
        let shape = TileShape {
            context_bp,
            margin_bp: 20,
        };
        for (low, high) in [(1, len - 1), (500, 500), (100, 1700)] {
            let span = |strand| {
                read_span(
                    on(&sequence, strand),
                    Window { low, high },
                    &shape,
                    3,
                    &model,
                )
                .unwrap()
                .0
            };
            assert_eq!(span(Strand::Plus), &whole[low..=high], "{context_bp}");
            assert_eq!(span(Strand::Minus), &turned[low - 1..high], "{context_bp}");
        }
    }
}
