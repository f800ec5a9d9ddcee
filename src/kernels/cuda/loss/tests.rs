use crate::kernels::check::{gpu_tests, like_the_cpu, same, values};
use crate::kernels::loss::cross_entropy;
use crate::kernels::reference;
use std::sync::Arc;

#[test]
fn targets_in_any_order() {
    // Some rows have two targets, some twice the same, the last none.
    let targets: Arc<[(usize, u8)]> = vec![(700, 6), (3, 1), (4, 0), (3, 1), (3, 5), (7, 2)].into();
    same(
        &[values((800, 7), 13, 3.0)],
        |t, x| cross_entropy(t, &x[0], &targets),
        |x| reference::cross_entropy(&x[0], &targets),
        1e-6,
    );
}

#[test]
fn many_targets_of_many_classes() {
    for (rows, classes) in [(4097, 7), (300, 32), (257, 1)] {
        let targets: Arc<[(usize, u8)]> = (0..rows)
            .filter(|t| t % 7 != 3)
            .map(|t| (t, (t * 31 % classes) as u8))
            .collect();
        like_the_cpu(
            &[values((rows, classes), 14, 30.0)],
            |t, x| cross_entropy(t, &x[0], &targets),
            1e-6,
        );
    }
}

#[test]
fn no_target_no_loss() {
    let targets: Arc<[(usize, u8)]> = Arc::from([]);
    like_the_cpu(
        &[values((300, 7), 14, 30.0)],
        |t, x| cross_entropy(t, &x[0], &targets),
        1e-6,
    );
}

gpu_tests!(targets_in_any_order, many_targets_of_many_classes);
