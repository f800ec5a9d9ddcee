//! A motif among the orders of its own columns: is the level of its hits one more draw of those of
//! permuted matrices?
//!
//! The unit is the order of columns, not the hit: hits of one order share their words, and a model
//! that answers to words gives every order a level of its own. A level is known by the mean over
//! the hits, with an error that depends on their number: see [`crate::stats::prediction`].

use std::collections::BTreeMap;

use super::grounds::Grounds;
use super::hits::Occurrence;
use super::matching::Matched;
use super::rows::OrderRow;
use super::statistics::{Compared, LEVEL};
use super::{EnrichmentRequest, endpoints_of};
use crate::stats::effect::auroc;
use crate::stats::grouped::{Components, Group};
use crate::stats::prediction::{Estimate, predict};
use crate::stats::rng::Rng;

/// Permuted matrices with hits that are needed for a test.
const LEAST_ORDERS: usize = 20;

/// The hits of one order of columns: (edges, inside).
type Order = [Group; 2];

/// A motif's hits and those of its permuted versions.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    own: Order,
    permuted: Vec<Order>,
    /// Probability that a hit exceeds one of another order, mean over the orders.
    auroc: [f64; 2],
    /// Hits of all orders, kept where they are shown.
    pub places: Vec<Occurrence>,
    /// Of hits of the motif, by index: a hit of some order in the same cluster of promoters that
    /// shares no base with any of them. Each serves once.
    pub partners: Vec<(usize, Occurrence)>,
}

impl Orders {
    /// Of a motif's usable hits and those of each permuted matrix; orders without a hit are left
    /// out. Also the covariates of both, which nothing matches: which words fit where belongs to
    /// what an order is.
    pub fn new(
        own: &[Occurrence],
        permuted: Vec<Vec<Occurrence>>,
        grounds: &Grounds,
        request: &EnrichmentRequest,
        keep: bool,
        rng: &mut Rng,
    ) -> (Orders, Matched) {
        let values = |places: &[Occurrence]| -> [Vec<f64>; 2] {
            let (edges, inside) = places
                .iter()
                .map(|place| endpoints_of(place, grounds))
                .unzip();
            [edges, inside]
        };
        let group = |places: &[Occurrence], values: &[Vec<f64>; 2]| -> Order {
            let clusters: Vec<usize> = places
                .iter()
                .map(|place| grounds.all[place.ground].cluster)
                .collect();
            [0, 1].map(|i| Group::new(&values[i], &clusters))
        };
        let mut matched = Matched::default();
        let covariates = |place: &Occurrence| {
            grounds.all[place.ground].covariates(
                place.start,
                place.end,
                place.strand,
                place.score,
                request.gc_flank_bp,
            )
        };
        let balance = &mut matched.balance;
        own.iter()
            .for_each(|place| balance.sites.push(&covariates(place)));
        permuted
            .iter()
            .flatten()
            .for_each(|place| balance.pool.push(&covariates(place)));
        (balance.paired_sites, balance.controls) = (balance.sites.clone(), balance.pool.clone());
        let own_values = values(own);
        let (mut orders, mut sums) = (Vec::new(), [0.0; 2]);
        for places in permuted.iter().filter(|places| !places.is_empty()) {
            let values = values(places);
            orders.push(group(places, &values));
            (0..2).for_each(|i| sums[i] += auroc(&own_values[i], &values[i]));
        }
        let auroc = sums.map(|sum| sum / orders.len() as f64);
        let partners = partners(own, &permuted, grounds, rng);
        let places = if keep {
            permuted.into_iter().flatten().collect()
        } else {
            Vec::new()
        };
        (
            Orders {
                own: group(own, &own_values),
                permuted: orders,
                auroc,
                places,
                partners,
            },
            matched,
        )
    }

    fn components(&self, endpoint: usize) -> Option<Components> {
        let all: Vec<Group> = self
            .permuted
            .iter()
            .chain([&self.own])
            .map(|order| order[endpoint])
            .collect();
        Components::estimate(&all)
    }

    /// The test of one endpoint, 0 for edges and 1 for inside; `None` where there are too few
    /// orders or hits.
    pub fn compare(&self, endpoint: usize) -> Option<Compared> {
        if self.permuted.len() < LEAST_ORDERS {
            return None;
        }
        let (components, own) = (self.components(endpoint)?, &self.own[endpoint]);
        let estimate = |group: &Group| Estimate {
            mean: group.mean,
            variance: components.of_mean(group),
        };
        let others: Vec<Estimate> = self
            .permuted
            .iter()
            .map(|order| estimate(&order[endpoint]))
            .collect();
        let found = predict(estimate(own), &others, LEVEL)?;
        Some(Compared {
            hit_mean: own.mean,
            control_mean: found.center,
            difference: found.difference,
            ci_low: found.low,
            ci_high: found.high,
            d: found.difference / components.of_one().sqrt(),
            auroc: self.auroc[endpoint],
            p_value: found.p_value,
            p_floor: f64::NAN,
            n_pairs: own.n,
            n_clusters: own.n_clusters,
            n_effective: (own.n * own.n) as f64 / own.squared_counts,
            n_orders: others.len(),
            order_sd: found.between.sqrt(),
        })
    }

    /// One row an order, the motif's own first.
    pub fn rows(&self, motif_id: &str) -> Vec<OrderRow> {
        let components = [0, 1].map(|endpoint| self.components(endpoint));
        let error =
            |i: usize, group: &Group| components[i].map_or(f64::NAN, |c| c.of_mean(group).sqrt());
        let row = |(order, [edges, inside]): (usize, &Order)| OrderRow {
            motif_id: motif_id.into(),
            order: order as u64,
            n_hits: edges.n as u64,
            n_clusters: edges.n_clusters as u64,
            edges: edges.mean,
            edges_variance: edges.variance(),
            edges_se: error(0, edges),
            inside: inside.mean,
            inside_variance: inside.variance(),
            inside_se: error(1, inside),
        };
        [&self.own]
            .into_iter()
            .chain(&self.permuted)
            .enumerate()
            .map(row)
            .collect()
    }
}

fn partners(
    own: &[Occurrence],
    permuted: &[Vec<Occurrence>],
    grounds: &Grounds,
    rng: &mut Rng,
) -> Vec<(usize, Occurrence)> {
    let cluster = |place: &Occurrence| grounds.all[place.ground].cluster;
    let mut free: BTreeMap<usize, Vec<Occurrence>> = BTreeMap::new();
    for place in permuted.iter().flatten() {
        let next = own.partition_point(|hit| (hit.ground, hit.end) <= (place.ground, place.start));
        if !own.get(next).is_some_and(|hit| hit.shares_a_base(place)) {
            free.entry(cluster(place)).or_default().push(*place);
        }
    }
    (free.values_mut()).for_each(|places| rng.shuffle(places));
    let partner =
        |(index, hit): (usize, &Occurrence)| Some((index, free.get_mut(&cluster(hit))?.pop()?));
    own.iter().enumerate().filter_map(partner).collect()
}
