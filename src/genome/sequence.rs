//! What can be said about a stretch of bases: its reverse complement, composition, and whether it
//! is plain ACGT.

use crate::genome::Strand;

/// The reverse complement, IUPAC codes included, upper and lower case kept; other bytes stay as
/// they are.
pub fn reverse_complement(sequence: &[u8]) -> Vec<u8> {
    bio::alphabets::dna::revcomp(sequence)
}

/// The complement of one base, case kept.
pub fn complement(base: u8) -> u8 {
    bio::alphabets::dna::complement(base)
}

/// Whether every base is A, C, G or T in either case.
pub fn is_acgt(sequence: &[u8]) -> bool {
    sequence
        .iter()
        .all(|b| matches!(b.to_ascii_uppercase(), b'A' | b'C' | b'G' | b'T'))
}

/// Whether a base is G or C in either case.
pub fn is_gc(base: u8) -> bool {
    matches!(base, b'G' | b'C' | b'g' | b'c')
}

/// G and C over all bases, in `[0, 1]`; `NaN` for an empty stretch.
pub fn gc_fraction(sequence: &[u8]) -> f64 {
    sequence.iter().filter(|&&b| is_gc(b)).count() as f64 / sequence.len() as f64
}

/// The letters a model is given for `sequence`: upper case, U as T, any other letter as N, and
/// reverse-complemented on the minus strand. Same length as the input, so inter-base position `t`
/// becomes `len - t` on minus.
pub fn model_letters(sequence: &[u8], strand: Strand) -> Vec<u8> {
    let letter = |b: &u8| match b.to_ascii_uppercase() {
        base @ (b'A' | b'C' | b'G' | b'T') => base,
        b'U' => b'T',
        _ => b'N',
    };
    match strand {
        Strand::Plus => sequence.iter().map(letter).collect(),
        Strand::Minus => sequence
            .iter()
            .rev()
            .map(|b| complement(letter(b)))
            .collect(),
    }
}

/// The base `k` steps downstream of inter-base position `position` in transcript orientation, upper
/// case and complemented on minus: `k = 0` is the base right after the position, `k = -1` the one
/// right before. `None` off the sequence.
pub fn base_downstream(sequence: &[u8], strand: Strand, position: usize, k: isize) -> Option<u8> {
    let index = match strand {
        Strand::Plus => position.checked_add_signed(k)?,
        Strand::Minus => position.checked_add_signed(k.checked_neg()?.checked_sub(1)?)?,
    };
    let base = sequence.get(index)?.to_ascii_uppercase();
    Some(match strand {
        Strand::Plus => base,
        Strand::Minus => complement(base),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_complement_keeps_case_and_codes() {
        assert_eq!(reverse_complement(b"ACgtNRYk"), b"mRYNacGT");
        assert_eq!(model_letters(b"acRGn", Strand::Plus), b"ACNGN");
        assert_eq!(model_letters(b"acRGn", Strand::Minus), b"NCNGT");
        assert_eq!(model_letters(b"Uu", Strand::Minus), b"AA"); // an RNA reads as its DNA
    }

    #[test]
    fn bases_around_a_position_read_with_the_transcript() {
        let plus = b"AAAGTCC";
        let minus = reverse_complement(plus);
        for k in -3..4 {
            assert_eq!(
                base_downstream(plus, Strand::Plus, 3, k),
                base_downstream(&minus, Strand::Minus, plus.len() - 3, k),
                "offset {k}"
            );
        }
        assert_eq!(base_downstream(plus, Strand::Plus, 3, 0), Some(b'G'));
        assert_eq!(base_downstream(plus, Strand::Plus, 3, 4), None);
        assert_eq!(base_downstream(plus, Strand::Plus, 3, -4), None);
    }

    #[test]
    fn gc_counts_both_cases() {
        assert_eq!(gc_fraction(b"GgCcAaTt"), 0.5);
        assert!(gc_fraction(b"").is_nan());
        assert!(is_acgt(b"acgtACGT") && !is_acgt(b"ACGN"));
    }
}
