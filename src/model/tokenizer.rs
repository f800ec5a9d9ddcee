//! Letters to tokens: `A C G T N [MASK] [PAD]` = 0..6. Lower case counts as upper case, U as T, any
//! other letter as N.

/// The unknown base.
pub const N: u8 = 4;
/// The masked base of masked-language-model training.
pub const MASK: u8 = 5;

/// Token of one letter.
pub fn token(letter: u8) -> u8 {
    match letter.to_ascii_uppercase() {
        b'A' => 0,
        b'C' => 1,
        b'G' => 2,
        b'T' | b'U' => 3,
        _ => N,
    }
}

/// Tokens of a sequence.
pub fn encode(sequence: &[u8]) -> Vec<u8> {
    sequence.iter().map(|&letter| token(letter)).collect()
}

/// Reverse complement of tokens: A and T, C and G change places.
pub fn reverse_complement(tokens: &[u8]) -> Vec<u8> {
    tokens
        .iter()
        .rev()
        .map(|&t| if t < 4 { 3 - t } else { t })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_other_strand() {
        assert_eq!(
            super::reverse_complement(&[0, 1, 4, 2, 3, 5]),
            [5, 0, 1, 4, 2, 3]
        );
    }

    #[test]
    fn letters() {
        assert_eq!(
            super::encode(b"ACGTNacgtnURYu*"),
            [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 3, 4, 4, 3, 4]
        );
    }
}
