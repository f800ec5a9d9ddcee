use super::*;

fn member(stratum: u64, position: usize, gc: f64, cpg: f64) -> Member {
    let covariates = Covariates::from_values([gc, 0.5, cpg, 0.0, f64::NAN, f64::NAN]);
    Member {
        stratum,
        position,
        covariates,
        second_choice: false,
    }
}

fn metric(caliper: f64) -> Metric {
    let mut metric = Metric::ANY;
    (metric.scale[0], metric.scale[2], metric.caliper[0]) = (0.1, 2.0, caliper);
    metric
}

fn random(n: usize, strata: usize, rng: &mut Rng) -> Vec<Member> {
    (0..n)
        .map(|i| {
            member(
                rng.below(strata) as u64,
                10 * i,
                rng.uniform(),
                rng.below(9) as f64,
            )
        })
        .collect()
}

fn squared(a: &Member, b: &Member) -> f64 {
    let (a, b) = (a.covariates, b.covariates);
    ((a.gc_upstream - b.gc_upstream) / 0.1).powi(2) + ((a.cpg_count - b.cpg_count) / 2.0).powi(2)
}

/// The least sum of distances of an assignment of every site to a candidate of its own, by trying
/// all.
fn optimum(sites: &[Member], pool: &[Member], taken: &mut Vec<bool>) -> f64 {
    let Some((site, rest)) = sites.split_first() else {
        return 0.0;
    };
    let mut best = f64::INFINITY;
    for (index, candidate) in pool.iter().enumerate() {
        if !taken[index] && candidate.stratum == site.stratum {
            taken[index] = true;
            best = best.min(squared(site, candidate).sqrt() + optimum(rest, pool, taken));
            taken[index] = false;
        }
    }
    best
}

#[test]
fn with_replacement_every_site_has_its_nearest() {
    for seed in 0..50 {
        let mut rng = Rng::new(seed);
        let (sites, pool) = (random(20, 3, &mut rng), random(60, 3, &mut rng));
        let metric = metric(0.2);
        let found = serve(
            &mut Pool::new(&pool, &metric, true),
            &sites,
            &vec![None; 20],
            1,
            &mut rng,
        );
        for (site, found) in sites.iter().zip(found) {
            let near = pool.iter().filter(|c| {
                c.stratum == site.stratum
                    && (c.covariates.gc_upstream - site.covariates.gc_upstream).abs() <= 0.2
            });
            let best = near.map(|c| squared(site, c)).min_by(f64::total_cmp);
            assert_eq!(found.ok().map(|all| squared(site, &pool[all[0]])), best);
        }
    }
}

#[test]
fn without_replacement_it_comes_near_the_brute_force_optimum() {
    let (mut ours, mut best) = (0.0, 0.0);
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let (sites, pool) = (random(4, 1, &mut rng), random(9, 1, &mut rng));
        let metric = metric(f64::INFINITY);
        let found = serve(
            &mut Pool::new(&pool, &metric, false),
            &sites,
            &vec![None; 4],
            1,
            &mut rng,
        );
        let found: Vec<usize> = found.into_iter().map(|f| f.unwrap()[0]).collect();
        let distinct: std::collections::HashSet<_> = found.iter().collect();
        assert_eq!(distinct.len(), 4);
        let total: f64 = sites
            .iter()
            .zip(&found)
            .map(|(s, c)| squared(s, &pool[*c]).sqrt())
            .sum();
        let least = optimum(&sites, &pool, &mut vec![false; 9]);
        assert!(total >= least - 1e-9);
        (ours, best) = (ours + total, best + least);
    }
    assert!(ours < 1.15 * best, "{ours} {best}");
}

#[test]
fn first_choices_come_before_second_ones() {
    // Three sites, four candidates, two each: every site has one before any has two.
    let sites: Vec<Member> = (0..3).map(|i| member(0, i, 0.5, 0.0)).collect();
    let pool: Vec<Member> = (0..4).map(|i| member(0, 100 + i, 0.5, 0.0)).collect();
    let metric = metric(1.0);
    for seed in 0..20 {
        let found = serve(
            &mut Pool::new(&pool, &metric, false),
            &sites,
            &vec![None; 3],
            2,
            &mut Rng::new(seed),
        );
        let mut sizes: Vec<usize> = found.iter().map(|f| f.as_ref().unwrap().len()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [1, 1, 2]);
    }
    let found = serve(
        &mut Pool::new(&pool, &metric, true),
        &sites,
        &vec![None; 3],
        9,
        &mut Rng::new(1),
    );
    assert!(
        found.iter().all(|f| f.as_ref().unwrap().len() == 4),
        "each once, however many were asked for"
    );
}

#[test]
fn places_strata_and_calipers_bind() {
    let pool = [
        member(0, 100, 0.5, 0.0),
        member(1, 200, 0.5, 0.0),
        member(0, 300, 0.9, 0.0),
    ];
    let metric = metric(0.1);
    let take = |site: Member, inside: Option<&[Interval]>| {
        Pool::new(&pool, &metric, false).take(&site, inside, &[], &mut Rng::new(1))
    };
    assert_eq!(take(member(0, 5, 0.5, 0.0), None), Ok(0));
    assert_eq!(
        take(member(0, 5, 0.6, 0.0), None),
        Ok(0),
        "exactly the caliper"
    );
    assert_eq!(
        take(member(0, 5, 0.7, 0.0), None),
        Err(Dropped::OutsideCaliper)
    );
    assert_eq!(
        take(member(2, 5, 0.5, 0.0), None),
        Err(Dropped::NoCandidate)
    );
    assert_eq!(
        take(member(0, 5, 0.5, 0.0), Some(&[Interval::new(99, 101)])),
        Ok(0)
    );
    assert_eq!(
        take(
            member(0, 5, 0.5, 0.0),
            Some(&[Interval::new(100, 200), Interval::new(201, 400)])
        ),
        Err(Dropped::OutsideCaliper)
    );
}

#[test]
fn ties_are_drawn_evenly() {
    let pool: Vec<Member> = (0..4).map(|i| member(0, i, 0.5, 1.0)).collect();
    let (metric, mut counts, mut rng) = (Metric::ANY, [0.0f64; 4], Rng::new(3));
    for _ in 0..8000 {
        let index = Pool::new(&pool, &metric, false)
            .take(&member(0, 9, 0.1, 7.0), None, &[], &mut rng)
            .unwrap();
        counts[index] += 1.0;
    }
    let chi_square: f64 = counts.iter().map(|c| (c - 2000.0).powi(2) / 2000.0).sum();
    assert!(chi_square < 16.3, "{chi_square}"); // 99.9% point of chi-square with 3 degrees of freedom
}

#[test]
fn a_propensity_score_matches_on_the_score() {
    let mut rng = Rng::new(5);
    // Sites are rich in G+C; CpG says nothing.
    let pool: Vec<Member> = (0..600)
        .map(|i| member(0, i, rng.uniform(), rng.below(9) as f64))
        .collect();
    let sites: Vec<Member> = (0..60)
        .map(|i| member(0, i, rng.uniform().sqrt(), rng.below(9) as f64))
        .collect();
    let mut metric = metric(f64::INFINITY);
    let rows: Vec<_> = sites
        .iter()
        .chain(&pool)
        .map(|m| metric.standard(&m.covariates))
        .collect();
    let rows: Vec<&[f64]> = rows.iter().map(|r| &r[..]).collect();
    let labels: Vec<bool> = (0..rows.len()).map(|i| i < sites.len()).collect();
    let model = Logistic::fit(&rows, &labels).unwrap();
    metric.propensity = Some((model.clone(), 0.2));
    let found = serve(
        &mut Pool::new(&pool, &metric, false),
        &sites,
        &vec![None; 60],
        1,
        &mut rng,
    );
    let logit = |m: &Member| model.logit(&metric.standard(&m.covariates));
    let pairs: Vec<(&Member, &Member)> = sites
        .iter()
        .zip(found)
        .filter_map(|(s, f)| f.ok().map(|f| (s, &pool[f[0]])))
        .collect();
    assert!(
        pairs.len() > 55
            && pairs
                .iter()
                .all(|(s, c)| (logit(s) - logit(c)).abs() <= 0.2)
    );
    let mean = |all: Vec<f64>| crate::stats::mean(&all);
    let gc = mean(
        pairs
            .iter()
            .map(|(s, c)| s.covariates.gc_upstream - c.covariates.gc_upstream)
            .collect(),
    );
    assert!(gc.abs() < 0.02, "{gc}");
}

#[test]
fn second_choices_serve_where_there_is_no_first() {
    let metric = metric(0.2);
    let near = |gc: f64| Member {
        second_choice: true,
        ..member(0, 5, gc, 0.0)
    };
    let pool = [
        near(0.5),
        member(0, 6, 0.6, 0.0),
        member(0, 7, 0.9, 0.0),
        near(0.45),
    ];
    let sites = vec![member(0, 1, 0.5, 0.0); 2];
    let found = serve(
        &mut Pool::new(&pool, &metric, false),
        &sites,
        &[None, None],
        1,
        &mut Rng::new(1),
    );
    let mut found: Vec<usize> = found.into_iter().map(|f| f.unwrap()[0]).collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [0, 1],
        "the first choice within the caliper, then the nearest of the others"
    );
}
