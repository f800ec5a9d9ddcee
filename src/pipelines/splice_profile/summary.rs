//! From readings to tables.

use super::matching::Matched;
use super::reading::{Group, Readings};
use super::rows::{AccountingRow, ControlRow, PairRow, ProfileRow, SiteRow, StatisticsRow};
use super::{SpliceProfile, SpliceProfileRequest, annotation_report, site_name};
use crate::controls::decoy::{Decoy, Match, NAME};
use crate::genome::annotation::Annotation;
use crate::genome::junctions::{Junctions, Site, SiteKind, SiteStatus};
use crate::stats::bootstrap::{ProfileSums, auroc_interval, mean_interval};
use crate::stats::effect::{auroc, paired_d};
use crate::stats::mean;
use crate::stats::permutation::sign_flip_clusters;
use crate::stats::rng::Rng;

const LEVEL: f64 = 0.95;

/// A pair with everything the tables say of it.
struct Pair<'a> {
    site: &'a Site,
    control: Decoy,
    site_name: String,
    site_value: f64,
    control_value: f64,
}

pub(super) fn outcome(
    annotation: &Annotation,
    junctions: &Junctions,
    matched: &Matched,
    readings: &Readings,
    request: &SpliceProfileRequest,
    rng: &Rng,
) -> SpliceProfile {
    let pairs = pairs(junctions, matched, readings, request.negative_control);
    let mut found = SpliceProfile {
        sites: site_rows(annotation, junctions, matched, readings, request.negative_control),
        controls: Vec::new(),
        pairs: Vec::new(),
        profile: Vec::new(),
        statistics: Vec::new(),
        balance: Vec::new(),
        accounting: Vec::new(),
        annotation: annotation_report(annotation, junctions),
        tiles_read: readings.tiles,
        bases_read: readings.bases,
        negative_control: request.negative_control,
    };
    for (index, kind) in SiteKind::ALL.into_iter().enumerate() {
        let of_kind: Vec<&Pair<'_>> = pairs.iter().filter(|pair| pair.site.kind == kind).collect();
        let mut seeds = rng.derive(&format!("statistics {}", kind.name()));
        found.statistics.push(statistics_row(kind, &of_kind, request, seeds.next_u64()));
        let profile_seed = seeds.next_u64();
        for (group, name) in [(Group::Site, "site"), (Group::Control, NAME)] {
            // One seed for both groups: each draw is of the same clusters in both.
            found.profile.extend(profile_rows(kind, name, readings.profiles.get(&(kind, group)), request, profile_seed));
        }
        for pair in &of_kind {
            found.controls.push(control_row(junctions, pair));
            found.pairs.push(pair_row(junctions, pair));
        }
        found.balance.extend(matched.balance[index].rows(kind.name(), NAME));
        let counts = junctions.count(kind);
        found.accounting.extend(SiteStatus::ALL.into_iter().map(|status| AccountingRow {
            site_kind: kind.name().into(),
            status: status.name().into(),
            n: counts.get(&status).copied().unwrap_or(0) as u64,
        }));
    }
    found
}

fn pairs<'a>(junctions: &'a Junctions, matched: &Matched, readings: &Readings, negative_control: bool) -> Vec<Pair<'a>> {
    let used = matched.by_site.iter().filter(|(number, _)| junctions.sites[**number].status == SiteStatus::Used);
    used.filter_map(|(number, found)| {
        let site = &junctions.sites[*number];
        let position = if negative_control { found.second?.position } else { site.position };
        Some(Pair {
            site,
            control: found.decoy?,
            site_name: site_name(junctions, site.contig, position, site.strand),
            site_value: *readings.endpoints.get(&(*number, Group::Site))?,
            control_value: *readings.endpoints.get(&(*number, Group::Control))?,
        })
    })
    .collect()
}

fn cluster_name(junctions: &Junctions, site: &Site) -> String {
    let cluster = &junctions.clusters[site.cluster];
    format!("{}:{}-{}", junctions.contigs[cluster.contig], cluster.interval.start, cluster.interval.end)
}

fn site_rows(
    annotation: &Annotation,
    junctions: &Junctions,
    matched: &Matched,
    readings: &Readings,
    negative_control: bool,
) -> Vec<SiteRow> {
    let row = |(number, site): (usize, &Site)| {
        let found: Option<&Match> = matched.by_site.get(&number);
        let covariates = found.map(|m| m.covariates);
        let genes: Vec<&str> = site.genes.iter().map(|gene| annotation.genes[*gene].id.as_str()).collect();
        let value = readings.endpoints.get(&(number, Group::Site)).copied();
        let control = found.and_then(|m| m.decoy).filter(|_| site.status == SiteStatus::Used);
        SiteRow {
            site_kind: site.kind.name().into(),
            site: site_name(junctions, site.contig, site.position, site.strand),
            contig: junctions.contigs[site.contig].clone(),
            position: site.position as u64,
            strand: site.strand.to_string(),
            gene_ids: genes.join(","),
            cluster: cluster_name(junctions, site),
            status: site.status.name().into(),
            // In a negative control the site itself is not read: what stands in its place is a decoy.
            site_value: value.filter(|_| !negative_control),
            gc_upstream: covariates.map(|c| c.gc_upstream),
            gc_downstream: covariates.map(|c| c.gc_downstream),
            cpg_count: covariates.map(|c| c.cpg_count),
            soft_masked_fraction: covariates.map(|c| c.soft_masked_fraction),
            gene_end_distance_bp: covariates.map(|c| c.gene_end_distance_bp).filter(|bp| bp.is_finite()),
            control_site: control.map(|decoy| site_name(junctions, site.contig, decoy.position, site.strand)),
        }
    };
    junctions.sites.iter().enumerate().map(row).collect()
}

fn control_row(junctions: &Junctions, pair: &Pair<'_>) -> ControlRow {
    let (site, covariates) = (pair.site, pair.control.covariates);
    ControlRow {
        site_kind: site.kind.name().into(),
        control: NAME.into(),
        control_site: site_name(junctions, site.contig, pair.control.position, site.strand),
        site: pair.site_name.clone(),
        contig: junctions.contigs[site.contig].clone(),
        position: pair.control.position as u64,
        strand: site.strand.to_string(),
        cluster: cluster_name(junctions, site),
        control_value: pair.control_value,
        gc_upstream: covariates.gc_upstream,
        gc_downstream: covariates.gc_downstream,
        cpg_count: covariates.cpg_count,
        soft_masked_fraction: covariates.soft_masked_fraction,
        gene_end_distance_bp: covariates.gene_end_distance_bp,
    }
}

fn pair_row(junctions: &Junctions, pair: &Pair<'_>) -> PairRow {
    PairRow {
        site_kind: pair.site.kind.name().into(),
        control: NAME.into(),
        site: pair.site_name.clone(),
        control_site: site_name(junctions, pair.site.contig, pair.control.position, pair.site.strand),
        cluster: cluster_name(junctions, pair.site),
        site_value: pair.site_value,
        control_value: pair.control_value,
    }
}

fn statistics_row(kind: SiteKind, pairs: &[&Pair<'_>], request: &SpliceProfileRequest, seed: u64) -> StatisticsRow {
    let sites: Vec<f64> = pairs.iter().map(|pair| pair.site_value).collect();
    let controls: Vec<f64> = pairs.iter().map(|pair| pair.control_value).collect();
    let differences: Vec<f64> = pairs.iter().map(|pair| pair.site_value - pair.control_value).collect();
    let clusters: Vec<usize> = pairs.iter().map(|pair| pair.site.cluster).collect();
    let test = sign_flip_clusters(&differences, &clusters, request.permutations, seed);
    let (ci_low, ci_high) = mean_interval(&differences, &clusters, request.bootstraps, LEVEL, seed);
    let (auroc_low, auroc_high) = auroc_interval(&sites, &controls, &clusters, request.bootstraps, LEVEL, seed);
    StatisticsRow {
        site_kind: kind.name().into(),
        control: NAME.into(),
        n_pairs: pairs.len() as u64,
        n_clusters: test.n_clusters as u64,
        site_mean: mean(&sites),
        control_mean: mean(&controls),
        difference: test.statistic,
        ci_low,
        ci_high,
        d: paired_d(&differences),
        auroc: auroc(&sites, &controls),
        auroc_low,
        auroc_high,
        p_value: test.p_value,
        p_floor: test.p_floor,
    }
}

fn profile_rows(kind: SiteKind, group: &str, sums: Option<&ProfileSums>, request: &SpliceProfileRequest, seed: u64) -> Vec<ProfileRow> {
    let Some(sums) = sums else { return Vec::new() };
    let band = sums.band(request.bootstraps, LEVEL, seed);
    (0..2 * request.flank + 1)
        .map(|index| ProfileRow {
            site_kind: kind.name().into(),
            group: group.into(),
            offset: index as i64 - request.flank as i64,
            mean: band.mean[index],
            ci_low: band.low[index],
            ci_high: band.high[index],
            n: band.n as u64,
        })
        .collect()
}
