//! The nucleotides around sites.

use serde::{Deserialize, Serialize};

use super::{ContigReader, Site, SiteClass};
use crate::error::Result;
use crate::genome::sequence::base_downstream;

/// Letters of the used sites at one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LetterRow {
    /// The kind of site.
    pub site_kind: String,
    /// Offset of the inter-base position before the base, in transcript orientation.
    pub offset: i64,
    /// Frequency of A.
    pub a: f64,
    /// Frequency of C.
    pub c: f64,
    /// Frequency of G.
    pub g: f64,
    /// Frequency of T.
    pub t: f64,
    /// Sites.
    pub n: u64,
}

/// Bases of the logo on either side of a site.
const LOGO_REACH: isize = 10;

/// The letters around sites, which lie by contig; kinds without a site have none.
pub fn letters<'s>(
    sites: impl Iterator<Item = &'s Site>,
    kinds: &[SiteClass],
    contigs: &mut ContigReader<'_>,
) -> Result<Vec<LetterRow>> {
    let mut counts = vec![vec![[0u64; 4]; 2 * LOGO_REACH as usize]; kinds.len()];
    for site in sites {
        let (sequence, _) = contigs.letters(site.contig)?; // each is read once
        for (column, k) in counts[site.kind].iter_mut().zip(-LOGO_REACH..) {
            let base = base_downstream(sequence, site.strand, site.position, k);
            if let Some(letter) =
                base.and_then(|base| b"ACGT".iter().position(|letter| *letter == base))
            {
                column[letter] += 1;
            }
        }
    }
    let rows = kinds.iter().zip(counts).flat_map(|(kind, columns)| {
        (columns.into_iter().zip(-LOGO_REACH as i64..)).map(move |(counts, offset)| {
            let n = counts.iter().sum::<u64>();
            let [a, c, g, t] = counts.map(|count| count as f64 / n as f64);
            LetterRow {
                site_kind: kind.name.into(),
                offset,
                a,
                c,
                g,
                t,
                n,
            }
        })
    });
    Ok(rows.filter(|row| row.n > 0).collect())
}
