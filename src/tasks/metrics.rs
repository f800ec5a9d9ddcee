//! How good predictions are: the measures of the field, as scikit-learn defines them.

use super::Targets;
use crate::stats::effect::auroc;
use crate::stats::{agreement, mean};

/// The measures of one set of predictions. Those that are not defined for it, or are of the other
/// kind of target, are `NaN`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    /// Sequences.
    pub n: usize,
    /// Share of sequences whose most probable class is theirs.
    pub accuracy: f64,
    /// F1 of each class, weighted by how many sequences are of it.
    pub f1: f64,
    /// Matthews correlation coefficient, of many classes as Gorodkin (2004) defines it; 0 where all
    /// predictions are of one class.
    pub mcc: f64,
    /// Area under the receiver operating curve: of two classes that of the second; of more, each
    /// against the rest, weighted by its sequences.
    pub auroc: f64,
    /// Mean cross-entropy in nats, probabilities being at least 1.2e-7; of values the mean squared
    /// error.
    pub loss: f64,
    /// Mean squared error.
    pub mse: f64,
    /// Pearson's correlation with the values.
    pub pearson: f64,
    /// Spearman's.
    pub spearman: f64,
}

impl Metrics {
    /// What models are ranked by: Matthews correlation, or Pearson's of values.
    pub fn score(&self) -> f64 {
        if self.mcc.is_nan() {
            self.pearson
        } else {
            self.mcc
        }
    }
}

const NONE: Metrics = Metrics {
    n: 0,
    accuracy: f64::NAN,
    f1: f64::NAN,
    mcc: f64::NAN,
    auroc: f64::NAN,
    loss: f64::NAN,
    mse: f64::NAN,
    pearson: f64::NAN,
    spearman: f64::NAN,
};

/// Measures predictions: per sequence the probabilities of its classes, or one value. The shorter
/// of both counts.
pub fn measure(scores: &[Vec<f32>], targets: &Targets) -> Metrics {
    match targets {
        Targets::Classes { labels, names } => classes(scores, labels, names.len()),
        Targets::Values(values) => numbers(scores, values),
    }
}

/// The class with the highest probability, the first of several.
pub fn predicted(scores: &[f32]) -> u32 {
    let mut best = 0;
    for (class, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = class;
        }
    }
    best as u32
}

/// `[label][predicted]`: how many sequences.
pub fn confusion(scores: &[Vec<f32>], labels: &[u32], classes: usize) -> Vec<Vec<u64>> {
    let mut counts = vec![vec![0; classes]; classes];
    scores
        .iter()
        .zip(labels)
        .for_each(|(scores, label)| counts[*label as usize][predicted(scores) as usize] += 1);
    counts
}

/// The Matthews correlation of `n` sequences, `right` of them predicted right, given how many are
/// of each class and predicted to be of it.
pub(super) fn matthews(n: f64, right: f64, of: &[f64], predicted: &[f64]) -> f64 {
    let products: f64 = of.iter().zip(predicted).map(|(t, p)| t * p).sum();
    let squares = |counts: &[f64]| n * n - counts.iter().map(|count| count * count).sum::<f64>();
    let denominator = (squares(of) * squares(predicted)).sqrt();
    match n {
        0.0 => f64::NAN,
        _ if denominator > 0.0 => (right * n - products) / denominator,
        _ => 0.0,
    }
}

fn classes(scores: &[Vec<f32>], labels: &[u32], k: usize) -> Metrics {
    let n = scores.len().min(labels.len());
    if n == 0 {
        return NONE;
    }
    let counts = confusion(scores, labels, k);
    let of: Vec<f64> = counts
        .iter()
        .map(|row| row.iter().sum::<u64>() as f64)
        .collect();
    let to: Vec<f64> = (0..k)
        .map(|class| counts.iter().map(|row| row[class]).sum::<u64>() as f64)
        .collect();
    let hits: Vec<f64> = (0..k).map(|class| counts[class][class] as f64).collect();
    let right: f64 = hits.iter().sum();
    let f1 = |class: usize| {
        if of[class] + to[class] > 0.0 {
            2.0 * hits[class] / (of[class] + to[class])
        } else {
            0.0
        }
    };
    let surprise = |(scores, label): (&Vec<f32>, &u32)| {
        -f64::from(scores[*label as usize].max(f32::EPSILON)).ln()
    };
    Metrics {
        n,
        accuracy: right / n as f64,
        f1: (0..k).map(|class| of[class] * f1(class)).sum::<f64>() / n as f64,
        mcc: matthews(n as f64, right, &of, &to),
        auroc: one_against_the_rest(&scores[..n], labels, &of),
        loss: scores.iter().zip(labels).map(surprise).sum::<f64>() / n as f64,
        ..NONE
    }
}

fn one_against_the_rest(scores: &[Vec<f32>], labels: &[u32], of: &[f64]) -> f64 {
    let against = |class: usize| {
        let side = |own: bool| -> Vec<f64> {
            let some = scores
                .iter()
                .zip(labels)
                .filter(|(_, label)| (**label as usize == class) == own);
            some.map(|(scores, _)| f64::from(scores[class])).collect()
        };
        auroc(&side(true), &side(false))
    };
    if of.len() == 2 {
        return against(1);
    }
    let some: Vec<(f64, f64)> = (0..of.len())
        .filter(|class| of[*class] > 0.0)
        .map(|class| (of[class], against(class)))
        .collect();
    some.iter().map(|(n, area)| n * area).sum::<f64>() / some.iter().map(|(n, _)| n).sum::<f64>()
}

fn numbers(scores: &[Vec<f32>], values: &[f64]) -> Metrics {
    let n = scores.len().min(values.len());
    let given: Vec<f64> = scores[..n]
        .iter()
        .map(|scores| f64::from(scores[0]))
        .collect();
    let (values, alone) = (&values[..n], vec![0; n]);
    let mse = mean(
        &given
            .iter()
            .zip(values)
            .map(|(a, b)| (a - b).powi(2))
            .collect::<Vec<f64>>(),
    );
    let pearson = agreement::pearson(&given, values, &alone, 0, 0.95, 0).correlation;
    let spearman = agreement::spearman(&given, values, &alone, 0, 0.95, 0).correlation;
    Metrics {
        n,
        loss: mse,
        mse,
        pearson,
        spearman,
        ..NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_classes(labels: &[u32], k: usize) -> Targets {
        Targets::Classes {
            labels: labels.to_vec(),
            names: (0..k).map(|i| i.to_string()).collect(),
        }
    }

    fn near(found: f64, want: f64) {
        assert!((found - want).abs() < 1e-6, "{found} {want}");
    }

    // from sklearn.metrics import *; import numpy as np
    // y=[0,1,1,0,1,0,1,1]; p=np.array([.1,.8,.4,.6,.9,.2,.7,.6],dtype=np.float32); P=np.c_[1-p,p]
    // [accuracy_score(y,p>.5), f1_score(y,p>.5,average='weighted'), matthews_corrcoef(y,p>.5),
    // roc_auc_score(y,p), log_loss(y,P)]
    #[test]
    fn two_classes_as_scikit_learn() {
        let p: [f32; 8] = [0.1, 0.8, 0.4, 0.6, 0.9, 0.2, 0.7, 0.6];
        let scores: Vec<Vec<f32>> = p.iter().map(|p| vec![1.0 - p, *p]).collect();
        let found = measure(&scores, &of_classes(&[0, 1, 1, 0, 1, 0, 1, 1], 2));
        [found.accuracy, found.f1, found.mcc, found.auroc, found.loss]
            .iter()
            .zip(TWO)
            .for_each(|(found, want)| near(*found, want));
        assert!(found.n == 8 && found.pearson.is_nan() && found.score() == found.mcc);
    }
    const TWO: [f64; 5] = [0.75, 0.75, 0.4666666666666667, 0.9, 0.4196362793445587];

    // y=[0,1,2,2,1,0,2,1,2]
    // P=np.array([[.6,.3,.1],[.2,.5,.3],[.1,.2,.7],[.3,.4,.3],[.5,.3,.2],[.8,.1,.1],[.2,.2,.6],[.1,.6,.3],[.4,.3,.3]],dtype=np.float32)
    // h=P.argmax(1); [accuracy_score(y,h), f1_score(y,h,average='weighted'),
    // matthews_corrcoef(y,h),
    // roc_auc_score(y,P/P.sum(1,keepdims=True),multi_class='ovr',average='weighted'),
    // log_loss(y,P)]
    #[test]
    fn three_classes_as_scikit_learn() {
        let scores: Vec<Vec<f32>> = [
            [0.6, 0.3, 0.1],
            [0.2, 0.5, 0.3],
            [0.1, 0.2, 0.7],
            [0.3, 0.4, 0.3],
            [0.5, 0.3, 0.2],
            [0.8, 0.1, 0.1],
            [0.2, 0.2, 0.6],
            [0.1, 0.6, 0.3],
            [0.4, 0.3, 0.3],
        ]
        .map(|row| row.to_vec())
        .to_vec();
        let labels = [0, 1, 2, 2, 1, 0, 2, 1, 2];
        let found = measure(&scores, &of_classes(&labels, 3));
        [found.accuracy, found.f1, found.mcc, found.auroc, found.loss]
            .iter()
            .zip(THREE)
            .for_each(|(found, want)| near(*found, want));
        assert_eq!(
            confusion(&scores, &labels, 3),
            [[2, 0, 0], [1, 2, 0], [1, 1, 2]]
        );
        // A class that no tested sequence is of has no part in it.
        let wider: Vec<Vec<f32>> = scores
            .iter()
            .map(|row| row.iter().copied().chain([0.0]).collect())
            .collect();
        let same = measure(&wider, &of_classes(&labels, 4));
        assert!((same.auroc, same.mcc, same.f1) == (found.auroc, found.mcc, found.f1));
    }
    const THREE: [f64; 5] = [
        0.6666666666666666,
        0.6666666666666666,
        0.5576923076923077,
        0.9185185185185186,
        0.7130401134490967,
    ];

    // scipy: a=np.array([.1,.4,.35,.8],dtype=np.float32); b=[.2,.3,.5,.9]; ((a-b)**2).mean();
    // pearsonr(a,b)[0]; spearmanr(a,b)[0]
    #[test]
    fn values_as_scipy() {
        let scores: Vec<Vec<f32>> = [0.1, 0.4, 0.35, 0.8].map(|v| vec![v]).to_vec();
        let found = measure(&scores, &Targets::Values(vec![0.2, 0.3, 0.5, 0.9]));
        [found.mse, found.pearson, found.spearman]
            .iter()
            .zip(VALUES)
            .for_each(|(found, want)| near(*found, want));
        assert!(found.loss == found.mse && found.mcc.is_nan() && found.score() == found.pearson);
    }
    const VALUES: [f64; 3] = [0.013125000074505861, 0.9336725967844165, 0.8];

    #[test]
    fn limits() {
        let constant = measure(&vec![vec![1.0, 0.0]; 4], &of_classes(&[0, 0, 1, 1], 2));
        assert!(constant.mcc == 0.0 && constant.auroc == 0.5 && constant.loss.is_finite());
        assert!(measure(&[], &of_classes(&[], 2)).mcc.is_nan());
        assert!(
            measure(&[vec![0.0]], &Targets::Values(vec![1.0]))
                .pearson
                .is_nan()
        );
        assert_eq!(
            (predicted(&[0.5, 0.5]), predicted(&[0.2, 0.5, 0.3])),
            (0, 1)
        );
    }
}
