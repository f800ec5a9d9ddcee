//! Sites to decoys, contig by contig and cluster by cluster.

use std::collections::{BTreeMap, BTreeSet};

use super::SpliceProfileRequest;
use super::reading::{Group, Subject};
use crate::controls::balance::Balance;
use crate::controls::decoy::{DecoyRequest, Match, Search, Wanted, match_decoys};
use crate::genome::Strand;
use crate::genome::annotation::Annotation;
use crate::genome::junctions::{Junctions, SiteKind, SiteStatus};
use crate::stats::rng::Rng;

/// Every usable site with its match, by site number; and the balance by kind, donors first.
#[derive(Default)]
pub(super) struct Matched {
    pub by_site: BTreeMap<usize, Match>,
    pub balance: [Balance; 2],
}

impl Matched {
    /// Matches the usable sites of one contig; those without a partner get their status.
    pub fn contig(
        &mut self,
        junctions: &mut Junctions,
        annotation: &Annotation,
        contig: usize,
        sequence: &[u8],
        request: &SpliceProfileRequest,
        rng: &Rng,
    ) {
        let range = junctions.site_range(contig);
        let annotated = |strand| junctions.sites[range.clone()].iter().filter(|s| s.strand == strand).map(|s| s.position).collect();
        let annotated: [BTreeSet<usize>; 2] = [annotated(Strand::Plus), annotated(Strand::Minus)];
        let mut wanted: BTreeMap<(usize, Strand, SiteKind), Vec<Wanted>> = BTreeMap::new();
        for number in range.filter(|s| junctions.sites[*s].status == SiteStatus::Used) {
            let site = &junctions.sites[number];
            let genes = site.genes.iter().map(|gene| annotation.genes[*gene].interval).collect();
            let group = wanted.entry((site.cluster, site.strand, site.kind)).or_default();
            group.push(Wanted { site: number, position: site.position, genes });
        }
        let decoy_request = DecoyRequest {
            radius_bp: request.flank,
            gc_flank_bp: request.gc_flank_bp,
            caliper: request.caliper,
            min_site_distance_bp: request.min_site_distance_bp,
            second: request.negative_control,
        };
        for ((cluster, strand, kind), wanted) in wanted {
            let search = Search { sequence, kind, strand, annotated: &annotated[usize::from(strand == Strand::Minus)] };
            // Named by its place, so that neither other contigs nor other clusters change what is drawn here.
            let start = junctions.clusters[cluster].interval.start;
            let mut rng = rng.derive(&format!("decoys {}:{start} {strand} {}", junctions.contigs[contig], kind.name()));
            let balance = &mut self.balance[usize::from(kind == SiteKind::Acceptor)];
            for found in match_decoys(&search, &wanted, &decoy_request, &mut rng, balance) {
                let pair = match request.negative_control {
                    false => found.decoy.map(|decoy| (found.covariates, decoy.covariates)),
                    true => found.second.zip(found.decoy).map(|(second, first)| (second.covariates, first.covariates)),
                };
                match pair {
                    Some((site, control)) => {
                        balance.paired_sites.push(&site);
                        balance.controls.push(&control);
                    }
                    None => junctions.sites[found.site].status = SiteStatus::NoPartner,
                }
                self.by_site.insert(found.site, found);
            }
        }
    }

    /// What the model has to read: both members of every pair, and the sites without a partner, which show whether matching selects.
    pub fn subjects(&self, junctions: &Junctions, negative_control: bool) -> Vec<Subject> {
        let mut subjects = Vec::new();
        for (number, found) in &self.by_site {
            let site = &junctions.sites[*number];
            let paired = site.status == SiteStatus::Used;
            let mut push = |position, group| {
                let (contig, strand, kind, cluster) = (site.contig, site.strand, site.kind, site.cluster);
                subjects.push(Subject { site: *number, contig, strand, kind, cluster, position, group, paired });
            };
            match (negative_control, found.decoy, found.second) {
                (false, decoy, _) => {
                    push(site.position, Group::Site);
                    decoy.into_iter().for_each(|d| push(d.position, Group::Control));
                }
                (true, Some(first), Some(second)) => {
                    push(second.position, Group::Site);
                    push(first.position, Group::Control);
                }
                (true, _, _) => {}
            }
        }
        subjects
    }
}
