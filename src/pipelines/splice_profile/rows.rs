//! The rows of the tables. Field names are column names.

use serde::{Deserialize, Serialize};

use crate::genome::annotation::Annotation;
use crate::genome::junctions::{Junctions, Site, SiteKind, SiteStatus};
use crate::pipelines::comparison::Comparison;

/// One annotated splice site, used or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteRow {
    /// `donor` or `acceptor`.
    pub site_kind: String,
    /// `contig:position:strand`, the site's name in the other tables.
    pub site: String,
    /// Contig, as the genome names it (as the annotation does, where the genome lacks it).
    pub contig: String,
    /// 0-based inter-base position on the plus strand.
    pub position: u64,
    /// `+` or `-`.
    pub strand: String,
    /// Genes whose chosen transcripts have the site (or, where none is chosen, all that have it),
    /// separated by commas.
    pub gene_ids: String,
    /// Cluster of overlapping genes, `contig:start-end` (0-based, half-open).
    pub cluster: String,
    /// `used`, or why not.
    pub status: String,
    /// Mean boundary probability over offsets -2..+2, where the site was read.
    pub site_value: Option<f64>,
    /// G+C fraction of the upstream flank, for usable sites.
    pub gc_upstream: Option<f64>,
    /// G+C fraction of the downstream flank, for usable sites.
    pub gc_downstream: Option<f64>,
    /// CpG dinucleotides in both flanks, for usable sites.
    pub cpg_count: Option<f64>,
    /// Lower-case fraction of both flanks, for usable sites.
    pub soft_masked_fraction: Option<f64>,
    /// Bases to the nearest end of a gene of the site, for usable sites.
    pub gene_end_distance_bp: Option<f64>,
    /// The name of its matched control in the first family asked for, where it has one; several are
    /// separated by commas.
    pub control_site: Option<String>,
    /// Log-odds of the letters around it in bits, for usable sites.
    pub strength_bits: Option<f64>,
}

/// How many annotated sites of a kind have a status; over all statuses these add up to all
/// annotated sites of the kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountingRow {
    /// `donor` or `acceptor`.
    pub site_kind: String,
    /// `used`, or why not.
    pub status: String,
    /// Sites.
    pub n: u64,
}

/// Every annotated site.
pub(super) fn sites(
    annotation: &Annotation,
    junctions: &Junctions,
    found: &Comparison,
) -> Vec<SiteRow> {
    let row = |(number, site): (usize, &Site)| {
        let facts = found.by_site.get(&number);
        let covariates = facts.map(|f| f.covariates);
        let genes: Vec<&str> = site
            .genes
            .iter()
            .map(|gene| annotation.genes[*gene].id.as_str())
            .collect();
        let contig = &junctions.contigs[site.contig];
        let cluster = &junctions.clusters[site.cluster];
        SiteRow {
            site_kind: site.kind.name().into(),
            site: format!("{contig}:{}:{}", site.position, site.strand),
            contig: contig.clone(),
            position: site.position as u64,
            strand: site.strand.to_string(),
            gene_ids: genes.join(","),
            cluster: format!(
                "{}:{}-{}",
                junctions.contigs[cluster.contig], cluster.interval.start, cluster.interval.end
            ),
            status: site.status.name().into(),
            site_value: facts.and_then(|f| f.value),
            gc_upstream: covariates.map(|c| c.gc_upstream),
            gc_downstream: covariates.map(|c| c.gc_downstream),
            cpg_count: covariates.map(|c| c.cpg_count),
            soft_masked_fraction: covariates.map(|c| c.soft_masked_fraction),
            gene_end_distance_bp: covariates
                .map(|c| c.gene_end_distance_bp)
                .filter(|bp| bp.is_finite()),
            control_site: facts.and_then(|f| f.control.clone()),
            strength_bits: covariates
                .map(|c| c.strength_bits)
                .filter(|bits| bits.is_finite()),
        }
    };
    junctions.sites.iter().enumerate().map(row).collect()
}

/// All annotated sites by kind and status.
pub(super) fn accounting(junctions: &Junctions) -> Vec<AccountingRow> {
    let rows = |kind: SiteKind| {
        let counts = junctions.count(kind);
        SiteStatus::ALL.map(|status| AccountingRow {
            site_kind: kind.name().into(),
            status: status.name().into(),
            n: counts.get(&status).copied().unwrap_or(0) as u64,
        })
    };
    SiteKind::ALL.into_iter().flat_map(rows).collect()
}
