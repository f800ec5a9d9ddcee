//! The minimum of a smooth convex function of many variables: L-BFGS (Nocedal & Wright 2006,
//! algorithms 7.4 and 7.5).

/// Steps remembered.
const MEMORY: usize = 10;
/// Armijo's constant: a step must give this share of the decrease that the slope promises.
const DECREASE: f64 = 1e-4;

/// Goes down from `start` until no partial derivative is above `tolerance`, at most `steps` steps.
/// `function` gives the value at a point and writes its gradient. Returns the point.
pub fn minimum(
    start: Vec<f64>,
    tolerance: f64,
    steps: usize,
    function: impl Fn(&[f64], &mut [f64]) -> f64,
) -> Vec<f64> {
    let mut x = start;
    let mut gradient = vec![0.0; x.len()];
    let mut value = function(&x, &mut gradient);
    // (change of the point, change of the gradient, one over their product)
    let mut memory: Vec<(Vec<f64>, Vec<f64>, f64)> = Vec::new();
    for _ in 0..steps {
        if gradient.iter().all(|g| g.abs() <= tolerance) {
            break;
        }
        let mut direction = downhill(&gradient, &memory);
        let mut slope = dot(&direction, &gradient);
        if slope >= 0.0 {
            memory.clear();
            direction = gradient.iter().map(|g| -g).collect();
            slope = -dot(&gradient, &gradient);
        }
        // The first step has no memory to be scaled by.
        let mut length = if memory.is_empty() {
            1.0 / slope.abs().sqrt().max(1.0)
        } else {
            1.0
        };
        let mut next_gradient = vec![0.0; x.len()];
        let moved = loop {
            let next: Vec<f64> = x
                .iter()
                .zip(&direction)
                .map(|(x, d)| x + length * d)
                .collect();
            let next_value = function(&next, &mut next_gradient);
            if next_value <= value + DECREASE * length * slope {
                break Some((next, next_value));
            }
            length *= 0.5;
            if length < 1e-12 {
                break None; // as low as the arithmetic can tell
            }
        };
        let Some((next, next_value)) = moved else {
            break;
        };
        let step: Vec<f64> = next.iter().zip(&x).map(|(a, b)| a - b).collect();
        let change: Vec<f64> = next_gradient
            .iter()
            .zip(&gradient)
            .map(|(a, b)| a - b)
            .collect();
        let product = dot(&step, &change);
        if product > 1e-300 {
            if memory.len() == MEMORY {
                memory.remove(0);
            }
            memory.push((step, change, 1.0 / product));
        }
        (x, value) = (next, next_value);
        gradient = next_gradient;
    }
    x
}

/// The gradient times the inverse Hessian that the memory tells of, downwards (the two-loop
/// recursion).
fn downhill(gradient: &[f64], memory: &[(Vec<f64>, Vec<f64>, f64)]) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut along = Vec::with_capacity(memory.len());
    for (step, change, inverse) in memory.iter().rev() {
        let a = inverse * dot(step, &q);
        q.iter_mut().zip(change).for_each(|(q, y)| *q -= a * y);
        along.push(a);
    }
    if let Some((_, change, inverse)) = memory.last() {
        let scale = 1.0 / (inverse * dot(change, change));
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((step, change, inverse), a) in memory.iter().zip(along.into_iter().rev()) {
        let b = inverse * dot(change, &q);
        q.iter_mut().zip(step).for_each(|(q, s)| *q += (a - b) * s);
    }
    q
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bowl_with_unlike_axes() {
        let function = |x: &[f64], gradient: &mut [f64]| {
            let value = |i: usize| 10f64.powi(i as i32 - 2) * (x[i] - i as f64).powi(2);
            (0..5).for_each(|i| gradient[i] = 2.0 * 10f64.powi(i as i32 - 2) * (x[i] - i as f64));
            (0..5).map(value).sum()
        };
        let found = minimum(vec![9.0; 5], 1e-9, 200, function);
        found
            .iter()
            .enumerate()
            .for_each(|(i, x)| assert!((x - i as f64).abs() < 1e-6, "{found:?}"));
    }

    #[test]
    fn softplus_of_both_signs() {
        // log(1 + e^x) + log(1 + e^-2x) falls until s(x) = 2 s(-2x).
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let function = |x: &[f64], gradient: &mut [f64]| {
            gradient[0] = sigmoid(x[0]) - 2.0 * sigmoid(-2.0 * x[0]);
            (1.0 + x[0].exp()).ln() + (1.0 + (-2.0 * x[0]).exp()).ln()
        };
        let found = minimum(vec![-8.0], 1e-10, 100, function)[0];
        assert!(
            (sigmoid(found) - 2.0 * sigmoid(-2.0 * found)).abs() < 1e-9,
            "{found}"
        );
        assert!(minimum(vec![], 1e-9, 5, |_, _| 0.0).is_empty());
    }
}
