//! From hits and controls to tables.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::grounds::Grounds;
use super::hits::Occurrence;
use super::rows::{
    DetailRow, HitRow, LogoRow, MotifRow, PairRow, ProfileRow, PromoterRow, StatisticsRow,
};
use super::shuffled::Pair;
use super::statistics::{Compared, LEVEL, compare, most_permutations};
use super::{
    Control, Enrichment, EnrichmentRequest, Query, Studied, endpoints_of, profile, unmatched,
    yardstick,
};
use crate::controls::balance::{Balance, BalanceRow};
use crate::genome::fasta::Genome;
use crate::genome::promoters::Promoters;
use crate::motifs::Motif;
use crate::motifs::background::Background;
use crate::motifs::similarity::{THRESHOLD, families};
use crate::stats::agreement::pearson;
use crate::stats::bootstrap::ProfileSums;
use crate::stats::multiplicity::{benjamini_hochberg, benjamini_yekutieli};
use crate::stats::rng::Rng;

/// A comparison of one motif with one control: values by pair.
struct Comparison {
    control: Control,
    /// (edges, inside) of hits and of controls.
    hits: Vec<(f64, f64)>,
    controls: Vec<(f64, f64)>,
    clusters: Vec<usize>,
}

struct Writer<'a> {
    genome: &'a Genome,
    grounds: &'a Grounds,
    request: &'a EnrichmentRequest,
}

#[allow(clippy::too_many_arguments)]
pub(super) fn outcome(
    genome: &Genome,
    promoters: &Promoters,
    queries: &[Query],
    studied: &[Studied],
    shuffled: &[Vec<Pair>],
    grounds: &Grounds,
    background: Background,
    request: &EnrichmentRequest,
) -> Enrichment {
    let writer = Writer {
        genome,
        grounds,
        request,
    };
    let inside = &grounds.all[..grounds.n_promoters];
    let mut found = Enrichment {
        promoters: promoters
            .promoters
            .iter()
            .map(|p| writer.promoter(p))
            .collect(),
        dropped: promoters.dropped.clone(),
        background: background.probabilities(),
        n_regions: grounds.n_promoters,
        region_bp: inside
            .iter()
            .map(|ground| ground.interval.len_bp() as u64)
            .sum(),
        n_outside: grounds.all.len() - grounds.n_promoters,
        tiles_read: grounds.tiles,
        bases_read: grounds.bases,
        negative_control: request.negative_control,
        ..Enrichment::default()
    };
    found.motifs = writer.motifs(queries, studied);
    for ((query, studied), pairs) in queries.iter().zip(studied).zip(shuffled) {
        writer.hits(&mut found, query, studied);
        writer.pairs(&mut found, query, studied, pairs);
        found.orders.extend(
            studied
                .orders
                .iter()
                .flat_map(|orders| orders.rows(&query.motif.id)),
        );
        found.unmatched.extend(unmatched::rows(
            &query.motif.id,
            studied,
            pairs.len(),
            request,
        ));
        if request.shows(&query.motif.id) {
            let column = |[a, c, g, t]: [f64; 4]| LogoRow {
                motif_id: query.motif.id.clone(),
                a,
                c,
                g,
                t,
            };
            found
                .logos
                .extend(query.motif.frequencies().into_iter().map(column));
            writer.profiles(&mut found, query, studied, pairs);
        }
        if request.detail.contains(&query.motif.id) {
            writer.detail(&mut found, query, studied);
        }
    }
    let mut order = request.controls.clone();
    if !order.contains(&Control::Shuffled) && shuffled.iter().any(|pairs| !pairs.is_empty()) {
        order.push(Control::Shuffled);
    }
    for control in &order {
        found
            .statistics
            .extend(writer.statistics(*control, &found.motifs, studied, shuffled));
        found.balance.extend(balance(*control, studied, request));
    }
    found.yardsticks = yardstick::rows(studied, grounds, request);
    found
}

/// Balance over all tested motifs together.
fn balance(control: Control, studied: &[Studied], request: &EnrichmentRequest) -> Vec<BalanceRow> {
    let mut all = Balance::default();
    let of_control = studied
        .iter()
        .filter(|s| s.hits.usable.len() >= request.min_hits)
        .flat_map(|s| &s.matched)
        .filter(|(c, _)| *c == control);
    let mut any = false;
    of_control.for_each(|(_, matched)| {
        all.merge(&matched.balance);
        any = true;
    });
    let mut rows = if any {
        all.rows("motif hit", control.name())
    } else {
        Vec::new()
    };
    rows.iter_mut()
        .for_each(|row| row.covariate = covariate(&row.covariate).into());
    rows
}

/// The covariates of places go by names of their own: the nearest end of a gene is a start site,
/// the strength a score.
fn covariate(name: &str) -> &str {
    match name {
        "gene_end_distance_bp" => "tss_distance_bp",
        "strength_bits" => "score_bits",
        other => other,
    }
}

impl Writer<'_> {
    fn contig(&self, contig: usize) -> String {
        self.genome
            .contigs()
            .get(contig)
            .map_or(String::new(), |c| c.name.clone())
    }

    fn name(&self, place: &Occurrence) -> String {
        format!(
            "{}:{}-{}:{}",
            self.contig(self.grounds.all[place.ground].contig),
            place.start,
            place.end,
            place.strand
        )
    }

    fn cluster(&self, place: &Occurrence) -> usize {
        self.grounds.all[place.ground].cluster
    }

    fn values(&self, place: &Occurrence) -> (f64, f64) {
        endpoints_of(place, self.grounds)
    }

    fn promoter(&self, p: &crate::genome::promoters::Promoter) -> PromoterRow {
        PromoterRow {
            id: p.id.clone(),
            gene: p.gene.clone(),
            contig: self.contig(p.contig),
            start: p.window.start as u64,
            end: p.window.end as u64,
            strand: p.strand.map_or(".".into(), |strand| strand.to_string()),
            tss: p.tss.map(|tss| tss as u64),
            cluster: p.cluster as u64,
        }
    }

    fn motifs(&self, queries: &[Query], studied: &[Studied]) -> Vec<MotifRow> {
        let all: Vec<Motif> = queries.iter().map(|query| query.motif.clone()).collect();
        let groups = families(&all, THRESHOLD);
        // The member with most hits stands for its group: a choice that no result can sway. The
        // first of several.
        let mut first: Vec<Option<usize>> =
            vec![None; groups.iter().max().map_or(0, |last| last + 1)];
        let mut sizes = vec![0u64; first.len()];
        for (index, group) in groups.iter().enumerate() {
            sizes[*group] += 1;
            let n = |i: usize| studied[i].hits.usable.len();
            if first[*group].is_none_or(|best| n(index) > n(best)) {
                first[*group] = Some(index);
            }
        }
        let row = |index: usize| {
            let (query, hits) = (&queries[index], &studied[index].hits);
            let status = match hits.usable.len() {
                _ if hits.best_p > hits.p => "not_scannable",
                0 => "no_hits",
                n if n < self.request.min_hits => "few_hits",
                _ => "tested",
            };
            let clusters: BTreeSet<usize> = hits
                .usable
                .iter()
                .map(|place| self.cluster(place))
                .collect();
            MotifRow {
                motif_id: query.motif.id.clone(),
                motif_name: query.motif.name.clone(),
                tax_group: query.motif.tax_group.clone(),
                structural_family: query.motif.families.join("; "),
                group: groups[index] as u64,
                group_size: sizes[groups[index]],
                represents_group: first[groups[index]] == Some(index),
                width: hits.width as u64,
                information_bits: query.motif.information_bits().iter().sum(),
                p_threshold: hits.p,
                best_p: hits.best_p,
                n_expected: hits.expected,
                status: status.into(),
                n_hits: hits.n_found as u64,
                n_misplaced: hits.misplaced as u64,
                n_not_plain: hits.not_plain as u64,
                n_usable: hits.usable.len() as u64,
                n_clusters: clusters.len() as u64,
                information_r: self.information_r(&query.motif, &hits.usable),
            }
        };
        (0..queries.len()).into_par_iter().map(row).collect()
    }

    /// Over the columns of a motif: information, and the mean probability at the two inter-base
    /// positions beside the column's base.
    fn information_r(&self, motif: &Motif, hits: &[Occurrence]) -> f64 {
        let mut sums = vec![0.0; motif.width()];
        for hit in hits {
            let profile = profile(hit, self.grounds, self.request.flank);
            let core = &profile[self.request.flank..=self.request.flank + motif.width()];
            sums.iter_mut()
                .zip(core.windows(2))
                .for_each(|(sum, pair)| *sum += f64::from(pair[0] + pair[1]) / 2.0);
        }
        if hits.is_empty() || self.request.negative_control {
            return f64::NAN;
        }
        pearson(
            &motif.information_bits(),
            &sums,
            &vec![0; sums.len()],
            0,
            LEVEL,
            0,
        )
        .correlation
    }

    fn hits(&self, found: &mut Enrichment, query: &Query, studied: &Studied) {
        found.hits.extend(studied.hits.usable.iter().map(|place| {
            let (edges, inside) = self.values(place);
            HitRow {
                motif_id: query.motif.id.clone(),
                contig: self.contig(self.grounds.all[place.ground].contig),
                start: place.start as u64,
                end: place.end as u64,
                strand: place.strand.to_string(),
                score: place.score,
                p_value: place.p_value,
                cluster: self.cluster(place) as u64,
                edges,
                inside,
            }
        }));
    }

    fn pairs(&self, found: &mut Enrichment, query: &Query, studied: &Studied, shuffled: &[Pair]) {
        let row = |control: Control,
                   hit: &Occurrence,
                   place: &Occurrence,
                   values: [(f64, f64); 2]| PairRow {
            motif_id: query.motif.id.clone(),
            control: control.name().into(),
            hit: self.name(hit),
            control_place: self.name(place),
            cluster: self.cluster(hit) as u64,
            hit_edges: values[0].0,
            control_edges: values[1].0,
            hit_inside: values[0].1,
            control_inside: values[1].1,
        };
        for (control, matched) in &studied.matched {
            for (hit, place) in &matched.pairs {
                let hit = &studied.hits.usable[*hit];
                found.pairs.push(row(
                    *control,
                    hit,
                    place,
                    [self.values(hit), self.values(place)],
                ));
            }
        }
        for pair in shuffled {
            let hit = &studied.hits.usable[pair.hit];
            found
                .pairs
                .push(row(Control::Shuffled, hit, hit, pair.values));
        }
    }

    fn comparison(&self, control: Control, studied: &Studied, shuffled: &[Pair]) -> Comparison {
        let mut found = Comparison {
            control,
            hits: Vec::new(),
            controls: Vec::new(),
            clusters: Vec::new(),
        };
        let mut push = |hit: &Occurrence, values: [(f64, f64); 2]| {
            found.hits.push(values[0]);
            found.controls.push(values[1]);
            found.clusters.push(self.cluster(hit));
        };
        if control == Control::Shuffled {
            shuffled
                .iter()
                .for_each(|pair| push(&studied.hits.usable[pair.hit], pair.values));
        } else {
            for (hit, place) in studied
                .matched_to(control)
                .into_iter()
                .flat_map(|m| &m.pairs)
            {
                let hit = &studied.hits.usable[*hit];
                push(hit, [self.values(hit), self.values(place)]);
            }
        }
        found
    }

    fn statistics(
        &self,
        control: Control,
        motifs: &[MotifRow],
        studied: &[Studied],
        shuffled: &[Vec<Pair>],
    ) -> Vec<StatisticsRow> {
        let mut rows = Vec::new();
        let pairs = match control {
            Control::Permuted => Vec::new(),
            _ => studied
                .par_iter()
                .zip(shuffled)
                .map(|(studied, shuffled)| self.comparison(control, studied, shuffled))
                .collect(),
        };
        for (number, endpoint) in ["edges", "inside"].into_iter().enumerate() {
            let outcomes: Vec<(usize, Compared)> = match control {
                Control::Permuted => {
                    let test = |index: usize| {
                        Some((index, studied[index].orders.as_ref()?.compare(number)?))
                    };
                    (0..motifs.len())
                        .into_par_iter()
                        .filter(|index| motifs[*index].status == "tested")
                        .filter_map(test)
                        .collect()
                }
                _ => self.paired(motifs, &pairs, endpoint),
            };
            let p_values: Vec<f64> = outcomes
                .iter()
                .map(|(_, outcome)| outcome.p_value)
                .collect();
            let (bh, by) = (
                benjamini_hochberg(&p_values),
                benjamini_yekutieli(&p_values),
            );
            for (((index, outcome), p_bh), p_by) in outcomes.into_iter().zip(bh).zip(by) {
                let (motif, worst) = (&motifs[index], worst(control, &studied[index]));
                rows.push(StatisticsRow {
                    motif_id: motif.motif_id.clone(),
                    motif_name: motif.motif_name.clone(),
                    group: motif.group,
                    represents_group: motif.represents_group,
                    control: control.name().into(),
                    endpoint: endpoint.into(),
                    n_pairs: outcome.n_pairs as u64,
                    n_clusters: outcome.n_clusters as u64,
                    n_orders: outcome.n_orders as u64,
                    hit_mean: outcome.hit_mean,
                    control_mean: outcome.control_mean,
                    difference: outcome.difference,
                    ci_low: outcome.ci_low,
                    ci_high: outcome.ci_high,
                    d: outcome.d,
                    auroc: outcome.auroc,
                    order_sd: outcome.order_sd,
                    p_value: outcome.p_value,
                    p_floor: outcome.p_floor,
                    p_bh,
                    p_by,
                    worst_covariate: worst
                        .as_ref()
                        .map_or(String::new(), |row| covariate(&row.covariate).into()),
                    worst_smd: worst.map_or(f64::NAN, |row| row.smd_after),
                    n_effective: outcome.n_effective,
                });
            }
        }
        rows
    }

    /// The tests of one endpoint on pairs, of motifs left with pairs enough.
    fn paired(
        &self,
        motifs: &[MotifRow],
        pairs: &[Comparison],
        endpoint: &str,
    ) -> Vec<(usize, Compared)> {
        let tested = |index: &usize| {
            motifs[*index].status == "tested" && pairs[*index].hits.len() >= self.request.min_hits
        };
        let tested: Vec<usize> = (0..motifs.len()).filter(tested).collect();
        let draws = (
            self.request.permutations,
            most_permutations(self.request.permutations, tested.len()),
        );
        let side = |values: &[(f64, f64)]| -> Vec<f64> {
            values
                .iter()
                .map(|v| if endpoint == "edges" { v.0 } else { v.1 })
                .collect()
        };
        let test = |index: usize| {
            let of = &pairs[index];
            let name = format!(
                "test {} {} {endpoint}",
                motifs[index].motif_id,
                of.control.name()
            );
            let seed = Rng::new(self.request.seed).derive(&name).next_u64();
            (
                index,
                compare(
                    &side(&of.hits),
                    &side(&of.controls),
                    &of.clusters,
                    draws,
                    seed,
                ),
            )
        };
        tested.into_par_iter().map(test).collect()
    }

    fn profiles(
        &self,
        found: &mut Enrichment,
        query: &Query,
        studied: &Studied,
        shuffled: &[Pair],
    ) {
        let (flank, width) = (self.request.flank, studied.hits.width);
        for control in Control::ALL {
            let [mut hits, mut controls] = [0, 1].map(|_| ProfileSums::new(width + 2 * flank + 1));
            if control == Control::Shuffled {
                for pair in shuffled {
                    let cluster = self.cluster(&studied.hits.usable[pair.hit]);
                    hits.add(cluster, &pair.profiles[0]);
                    controls.add(cluster, &pair.profiles[1]);
                }
            } else if let (Control::Permuted, Some(orders)) = (control, &studied.orders) {
                studied.hits.usable.iter().for_each(|place| {
                    hits.add(self.cluster(place), &profile(place, self.grounds, flank))
                });
                orders.places.iter().for_each(|place| {
                    controls.add(self.cluster(place), &profile(place, self.grounds, flank))
                });
            } else {
                for (hit, place) in studied
                    .matched_to(control)
                    .into_iter()
                    .flat_map(|m| &m.pairs)
                {
                    let hit = &studied.hits.usable[*hit];
                    hits.add(self.cluster(hit), &profile(hit, self.grounds, flank));
                    controls.add(self.cluster(hit), &profile(place, self.grounds, flank));
                }
            }
            if hits.n() == 0 {
                continue;
            }
            // One seed: each draw is of the same clusters in both.
            let seed = Rng::new(self.request.seed)
                .derive(&format!("profile {} {}", query.motif.id, control.name()))
                .next_u64();
            for (sums, group) in [(&hits, "hit"), (&controls, "control")] {
                let band = sums.band(self.request.bootstraps, LEVEL, seed);
                found
                    .profile
                    .extend((0..band.mean.len()).map(|index| ProfileRow {
                        motif_id: query.motif.id.clone(),
                        control: control.name().into(),
                        group: group.into(),
                        offset: index as i64 - flank as i64,
                        mean: band.mean[index],
                        ci_low: band.low[index],
                        ci_high: band.high[index],
                        n: band.n as u64,
                        width: width as u64,
                    }));
            }
        }
    }

    fn detail(&self, found: &mut Enrichment, query: &Query, studied: &Studied) {
        let flank = self.request.flank;
        let mut order: Vec<(f64, &Occurrence)> = studied
            .hits
            .usable
            .iter()
            .map(|place| (self.values(place).0, place))
            .collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (rank, (_, place)) in order.into_iter().enumerate() {
            let name = self.name(place);
            let row = |(index, probability): (usize, f32)| DetailRow {
                motif_id: query.motif.id.clone(),
                rank: rank as u64 + 1,
                hit: name.clone(),
                offset: index as i64 - flank as i64,
                probability: f64::from(probability),
            };
            found.detail.extend(
                profile(place, self.grounds, flank)
                    .into_iter()
                    .enumerate()
                    .map(row),
            );
        }
    }
}

/// The covariate furthest from balance after matching.
fn worst(control: Control, studied: &Studied) -> Option<BalanceRow> {
    let rows = studied.matched_to(control)?.balance.rows("", "");
    rows.into_iter()
        .filter(|row| row.smd_after.is_finite())
        .max_by(|a, b| a.smd_after.abs().total_cmp(&b.smd_after.abs()))
}
