//! Controls with the same letters around them.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Found, Seeker, member, site_member, stratum};
use crate::controls::area::{Area, Wanted};
use crate::controls::matching::{Member, Metric};

/// At most so many candidates of one k-mer are looked at, a random subset.
const KMER_CANDIDATES: usize = 2000;

impl Seeker<'_> {
    /// From the widest k-mer down to the narrowest that still holds the core letters; a site leaves
    /// as soon as it is served.
    pub(super) fn by_kmer(&self, metric: &Metric) -> Vec<Found> {
        let core = &self.ground.core;
        let holds_core =
            |k: usize| -((k / 2) as i64) <= core.start && core.end() <= (k - k / 2) as i64;
        let narrowest = (1..=self.request.kmer)
            .find(|k| holds_core(*k))
            .unwrap_or(self.request.kmer);
        let mut rng = self.rng.derive(&format!(
            "kmer {} {} {}",
            self.ground.contig, self.ground.strand, self.ground.kind
        ));
        let mut left: Vec<(&Area<'_>, &Wanted)> = self
            .areas
            .iter()
            .flat_map(|area| area.wanted.iter().map(move |w| (area, w)))
            .collect();
        let (mut done, mut gone): (HashMap<usize, Found>, HashSet<usize>) =
            (HashMap::new(), HashSet::new());
        let order: Vec<usize> = left.iter().map(|(_, w)| w.site).collect();
        for k in (narrowest..=self.request.kmer).rev() {
            let key = |area: &Area<'_>, p: usize| {
                area.kmer(p, k)
                    .map(|letters| letters << 1 | stratum(area, p))
            };
            let wanted_keys: HashSet<u64> = left
                .iter()
                .filter_map(|(area, w)| key(area, w.position))
                .collect();
            let mut sample: BTreeMap<u64, (usize, Vec<(usize, usize)>)> = BTreeMap::new();
            for (index, area) in self.areas.iter().enumerate() {
                for position in area.with_core().filter(|p| !gone.contains(p)) {
                    let Some(key) = key(area, position).filter(|key| wanted_keys.contains(key))
                    else {
                        continue;
                    };
                    let (seen, kept) = sample.entry(key).or_default();
                    *seen += 1;
                    if kept.len() < KMER_CANDIDATES {
                        kept.push((index, position));
                    } else if let Some(place) = kept.get_mut(rng.below(*seen)) {
                        *place = (index, position);
                    }
                }
            }
            let (mut members, mut home) = (Vec::new(), Vec::new());
            for (key, (_, kept)) in sample {
                for (index, position) in kept {
                    members.push(Member {
                        stratum: key,
                        ..member(&self.areas[index], position)
                    });
                    home.push(&self.areas[index]);
                }
            }
            let no_letters = u64::MAX;
            let sites: Vec<Member> = (left.iter())
                .map(|(area, w)| Member {
                    stratum: key(area, w.position).unwrap_or(no_letters),
                    ..site_member(area, w)
                })
                .collect();
            let inside = vec![None; sites.len()];
            for mut found in self.serve(
                left.clone(),
                &sites,
                &members,
                &home,
                &inside,
                metric,
                &mut rng,
            ) {
                let served = found.controls.is_ok() && (!self.second || !found.second.is_empty());
                if served || k == narrowest {
                    found.kmer = found.controls.is_ok().then_some(k);
                    if !self.request.replacement {
                        let taken = found.controls.iter().flatten().chain(&found.second);
                        gone.extend(taken.map(|control| control.position));
                    }
                    done.insert(found.site, found);
                }
            }
            left.retain(|(_, w)| !done.contains_key(&w.site));
        }
        order.iter().filter_map(|site| done.remove(site)).collect()
    }
}
