use super::*;
use crate::stats::rng::Rng;

const TRAIN: [&str; 6] = [
    "ACGTACGTAC",
    "TTTTTTTTGG",
    "ACGTTACGTA",
    "GGGGCCCCGG",
    "TTTTGGTTTT",
    "CCCCGGGGCC",
];
const TEST: [&str; 3] = ["ACGTACGGGG", "TTTTTTTTTT", "CCCCGGTTTT"];

fn sparse(sequences: &[&str]) -> Vec<Sparse> {
    sequences
        .iter()
        .map(|sequence| words(sequence.as_bytes()))
        .collect()
}

fn classes(labels: &[u32], k: usize) -> Targets {
    Targets::Classes {
        labels: labels.to_vec(),
        names: (0..k).map(|i| i.to_string()).collect(),
    }
}

fn near(found: &[Vec<f32>], want: &[&[f64]]) {
    for (found, want) in found.iter().zip(want) {
        found
            .iter()
            .zip(*want)
            .for_each(|(a, b)| assert!((f64::from(*a) - b).abs() < 2e-4, "{found:?} {want:?}"));
    }
}

// S, T: the sequences above; V=[''.join(p) for p in itertools.product('ACGT',repeat=6)]
// c=CountVectorizer(analyzer='char',ngram_range=(6,6),lowercase=False,vocabulary=V)
// x=lambda s: (lambda a:
// a/np.linalg.norm(a,axis=1,keepdims=True))(np.sqrt(c.transform(s).toarray()))
// LogisticRegression(C=1/.3,tol=1e-10,max_iter=10000).fit(x(S),[0,1,0,0,1,0]).predict_proba(x(T))
// LogisticRegression(C=1/.3,tol=1e-10,max_iter=10000).fit(x(S),[0,1,0,2,1,2]).predict_proba(x(T))
// Ridge(alpha=.3).fit(x(S),[1,3,2,-1,4,0]).predict(x(T))
#[test]
fn fits_are_those_of_scikit_learn() {
    let (train, test) = (sparse(&TRAIN), sparse(&TEST));
    let fitted = |targets: &Targets, penalty: f64| {
        let problem = Problem::new(&train, targets);
        problem.predict(&problem.fit(problem.start(), penalty), &test)
    };
    let two = fitted(&classes(&[0, 1, 0, 0, 1, 0], 2), 0.3);
    near(
        &two.iter().map(|p| vec![p[1]]).collect::<Vec<_>>(),
        &[&[TWO[0]], &[TWO[1]], &[TWO[2]]],
    );
    near(
        &fitted(&classes(&[0, 1, 0, 2, 1, 2], 3), 0.3),
        &[&THREE[0], &THREE[1], &THREE[2]],
    );
    // Values are scaled to deviation 1, which leaves the penalty what it is.
    near(
        &fitted(&Targets::Values(vec![1.0, 3.0, 2.0, -1.0, 4.0, 0.0]), 0.3),
        &[&[VALUES[0]], &[VALUES[1]], &[VALUES[2]]],
    );
}
const TWO: [f64; 3] = [0.25354036571241867, 0.5292559505515184, 0.3138713013177469];
const THREE: [[f64; 3]; 3] = [
    [0.5035042919896519, 0.2595381307300197, 0.23695757728032843],
    [0.20761173918381687, 0.6011128829840514, 0.19127537783213178],
    [0.2601180670980442, 0.34228038492754453, 0.3976015479744113],
];
const VALUES: [f64; 3] = [1.3358815384251013, 2.2201838961650573, 1.4385281385281385];

#[test]
fn words_are_counted_without_n() {
    let all = words(b"AAAAAAAACNAAAAAC");
    // Three AAAAAA, two AAAAAC: sqrt(3 / 5), sqrt(2 / 5).
    assert_eq!(
        all,
        [
            (0, (3f32).sqrt() / 5f32.sqrt()),
            (1, 2f32.sqrt() / 5f32.sqrt())
        ]
    );
    assert!(words(b"ACGTA").is_empty() && words(b"ACGTN").is_empty());
}

fn task(targets: Targets, sequences: Vec<Vec<u8>>) -> Task {
    let n = sequences.len();
    let data = Dataset {
        names: (0..n).map(|i| i.to_string()).collect(),
        sequences,
        targets,
    };
    let rows = |from: usize, to: usize| (from..to).collect::<Vec<usize>>();
    let partition = Partition {
        fold: 3,
        seed: 9,
        train: rows(0, n / 2),
        valid: rows(n / 2, n),
    };
    Task {
        name: "toy".into(),
        test: data.clone(),
        data,
        partitions: vec![partition],
        notes: Vec::new(),
    }
}

#[test]
fn a_planted_word_is_learned_and_threads_change_nothing() {
    let mut rng = Rng::new(2);
    let labels: Vec<u32> = (0..400).map(|_| rng.below(2) as u32).collect();
    let sequence = |label: &u32| {
        let mut letters: Vec<u8> = (0..80).map(|_| b"ACGT"[rng.below(4)]).collect();
        if *label == 1 {
            letters[20..28].copy_from_slice(b"TATAAAAG");
        }
        letters
    };
    let sequences: Vec<Vec<u8>> = labels.iter().map(sequence).collect();
    let values = Targets::Values(labels.iter().map(|l| f64::from(*l) * 3.0 + 5.0).collect());
    for (targets, least) in [(classes(&labels, 2), 0.9), (values, 0.85)] {
        let task = task(targets, sequences.clone());
        let alone = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap()
            .install(|| run(&task, &task.partitions[0]));
        let found = run(&task, &task.partitions[0]);
        assert!(
            (alone.penalty, &alone.test.scores, &alone.valid.scores)
                == (found.penalty, &found.test.scores, &found.valid.scores)
        );
        assert!(
            (found.test.fold, found.test.seed, found.test.model.as_str()) == (3, 9, "kmer")
                && found.test.bases_per_second > 0.0
        );
        let score = measure(
            &found.valid.scores,
            &task.data.targets.select(&task.partitions[0].valid),
        )
        .score();
        assert!(score > least, "{score}");
        let flat = measure(
            &majority(&task.partitions[0], &task.data, task.test.len()),
            &task.test.targets,
        );
        assert!(flat.mcc == 0.0 || flat.pearson.is_nan());
    }
}
