use super::*;
use crate::genome::Strand::{Minus, Plus};
use crate::genome::sequence::reverse_complement as reverse_letters;
use crate::motifs::NOMINAL_SITES;
use crate::motifs::background::Letters;
use crate::stats::rng::Rng;

fn random_motif(rng: &mut Rng, width: usize) -> Motif {
    let column = |rng: &mut Rng| std::array::from_fn(|_| (rng.below(4) * rng.below(30)) as f64);
    let columns = (0..width).map(|_| column(rng)).map(|mut c: [f64; 4]| {
        c[0] += 1.0;
        c
    });
    Motif::new(&format!("w{width}"), "", columns.collect(), NOMINAL_SITES).unwrap()
}

/// Every word of both strands scored in full.
fn naive(motif: &Motif, sequence: &[u8], request: &ScanRequest) -> Vec<(usize, Strand, f64, f64)> {
    let weights = Weights::new(motif, request.background, request.pseudocount);
    let Some(tail) = Tail::new(&weights, request.p) else { return Vec::new() };
    let mut found = Vec::new();
    for start in 0..(sequence.len() + 1).saturating_sub(motif.width()) {
        let word = &sequence[start..start + motif.width()];
        for (strand, word) in [(Plus, word.to_vec()), (Minus, reverse_letters(word))] {
            let letters: Vec<usize> = word.iter().filter_map(|b| letter_index(*b)).collect();
            if letters.len() == motif.width() {
                let deficit: u32 = tail.deficits.iter().zip(&letters).map(|(column, letter)| column[*letter]).sum();
                if deficit <= tail.limit() {
                    found.push((start, strand, weights.score(letters.into_iter()), tail.p_value(deficit)));
                }
            }
        }
    }
    found
}

#[test]
fn the_table_finds_what_scoring_every_word_finds() {
    let mut rng = Rng::new(11);
    let letters = b"ACGTACGTACGTACGTACGTACGTACGTACGTacgtNRUu-";
    let mut total = 0;
    for round in 0..40 {
        let motif = random_motif(&mut rng, [1, 2, 5, 7, 8, 9, 12, 15, 21, 33][round % 10]);
        let sequence: Vec<u8> = (0..rng.below(3000)).map(|_| letters[rng.below(letters.len() - 3 * (round % 2))]).collect();
        let mut background = Letters::default();
        background.add(&sequence);
        let request = ScanRequest { p: 0.02, all_hits: true, ..ScanRequest::new(background.background()) };
        let expected = naive(&motif, &sequence, &request);
        let scan = scan(std::slice::from_ref(&motif), &[Encoded::new(&sequence)], &request);
        let found: Vec<_> = scan.hits.iter().map(|h| (h.start, h.strand, h.score, h.p_value)).collect();
        assert_eq!(found, expected);
        assert!(scan.hits.iter().all(|h| h.end == h.start + motif.width() && h.p_value <= 0.02));
        total += found.len();
    }
    assert!(total > 500, "{total}");
}

#[test]
fn other_letters_break_a_hit_and_soft_masked_ones_do_not() {
    let motif = Motif::new("x", "", b"ACGGTCA".map(|l| std::array::from_fn(|i| f64::from(b"ACGT"[i] == l))).to_vec(), 20.0).unwrap();
    let request = ScanRequest::new(Background::UNIFORM);
    let starts = |sequence: &[u8]| -> Vec<(usize, Strand)> {
        scan(std::slice::from_ref(&motif), &[Encoded::new(sequence)], &request).hits.iter().map(|h| (h.start, h.strand)).collect()
    };
    assert_eq!(starts(b"ACGGTCA"), [(0, Plus)]);
    assert_eq!(starts(b"acggucaNtgaccgt"), [(0, Plus), (8, Minus)]);
    for broken in [&b"ACGGTC"[..], b"ACGNTCA", b"ACGGTCR", b"NACGGTC", b"ACG-GTCA", b"", b"N"] {
        assert_eq!(starts(broken), [], "{}", String::from_utf8_lossy(broken));
    }
    let runs = |sequence: &[u8]| Encoded::new(sequence).runs;
    assert_eq!(runs(b"NNACNGTTN"), [(2, 4), (5, 8)]);
    assert_eq!(runs(b"ACGT"), [(0, 4)]);
    assert_eq!(Encoded::new(b"TACGTACGTA").codes, [0xc6c6, 0x1b1b, 0x6c6c, 0xb1b0, 0xc6c0, 0x1b00, 0x6c00, 0xb000, 0xc000, 0x0000]);
}

#[test]
fn motifs_and_sequences_keep_their_order() {
    let mut rng = Rng::new(5);
    let motifs: Vec<Motif> = [6, 2, 9].into_iter().map(|width| random_motif(&mut rng, width)).collect();
    let sequences: Vec<Encoded> = (0..4).map(|_| Encoded::new(&(0..2000).map(|_| b"ACGT"[rng.below(4)]).collect::<Vec<u8>>())).collect();
    let request = ScanRequest { p: 0.01, ..ScanRequest::new(Background::UNIFORM) };
    let found = scan(&motifs, &sequences, &request);
    assert_eq!(found.unreachable, [1]); // two columns: the best word has a p-value of 1/16
    assert!(found.hits.is_sorted_by_key(|h| (h.motif, h.sequence, h.start, h.strand)));
    assert!(found.hits.windows(2).all(|w| (w[0].motif, w[0].sequence) != (w[1].motif, w[1].sequence) || w[0].end <= w[1].start));
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| scan(&motifs, &sequences, &request)).hits, found.hits);
}
