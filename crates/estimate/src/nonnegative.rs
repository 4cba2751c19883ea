//! Least squares with coefficients that are not negative, of a handful of unknowns.

/// Sweeps over all unknowns, at most.
const SWEEPS_MAX: usize = 20_000;
/// Changes smaller than this share of the largest unknown end it.
const TOLERANCE: f64 = 1e-13;

/// The `x >= 0` for which the sum of `(row . x - wanted)²` is least. The rows must tell all unknowns apart,
/// as those of a ridge do. By cyclic coordinate descent on the normal equations, which for such rows
/// converges to the one solution (Franc, Hlaváč, Navara: Sequential Coordinate-Wise Algorithm for the
/// Non-negative Least Squares Problem, 2005).
pub(crate) fn least_squares(rows: &[(Vec<f64>, f64)]) -> Vec<f64> {
    let unknowns = rows.first().map_or(0, |(row, _)| row.len());
    let (gram, moments) = normal_equations(rows, unknowns);
    let mut x = vec![0.0_f64; unknowns];
    for _ in 0..SWEEPS_MAX {
        let mut change = 0.0_f64;
        for j in 0..unknowns {
            if gram[j][j] <= 0.0 {
                continue;
            }
            let others: f64 = (0..unknowns).filter(|k| *k != j).map(|k| gram[j][k] * x[k]).sum();
            let next = ((moments[j] - others) / gram[j][j]).max(0.0);
            change = change.max((next - x[j]).abs());
            x[j] = next;
        }
        if change <= TOLERANCE * x.iter().copied().fold(0.0, f64::max) {
            break;
        }
    }
    x
}

fn normal_equations(rows: &[(Vec<f64>, f64)], unknowns: usize) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut gram = vec![vec![0.0; unknowns]; unknowns];
    let mut moments = vec![0.0; unknowns];
    for (row, wanted) in rows {
        for j in 0..unknowns {
            moments[j] += row[j] * wanted;
            for k in 0..unknowns {
                gram[j][k] += row[j] * row[k];
            }
        }
    }
    (gram, moments)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_solution_that_is_there_is_found() {
        let rows = [(vec![1.0, 0.0], 2.0), (vec![1.0, 1.0], 5.0), (vec![1.0, 2.0], 8.0)];
        let x = least_squares(&rows);
        assert!((x[0] - 2.0).abs() < 1e-9 && (x[1] - 3.0).abs() < 1e-9, "{x:?}");
    }

    #[test]
    fn what_would_be_negative_is_nothing() {
        // Without the limit the second would be -1.
        let rows = [(vec![1.0, 0.0], 2.0), (vec![1.0, 1.0], 1.0)];
        let x = least_squares(&rows);
        assert!((x[0] - 1.5).abs() < 1e-9 && x[1] == 0.0, "{x:?}");
    }

    proptest! {
        /// Karush, Kuhn and Tucker's conditions: the slope is nothing where an unknown is positive, and not
        /// negative where it is nothing.
        #[test]
        fn nothing_near_it_is_better(
            rows in prop::collection::vec((prop::collection::vec(0.0..10.0_f64, 4), -5.0..50.0_f64), 1..12),
        ) {
            let mut rows = rows;
            for unknown in 0..4 {
                let mut ridge = vec![0.0; 4];
                ridge[unknown] = 0.5;
                rows.push((ridge, 0.5));
            }
            let x = least_squares(&rows);
            let (gram, moments) = normal_equations(&rows, 4);
            for j in 0..4 {
                let slope: f64 = (0..4).map(|k| gram[j][k] * x[k]).sum::<f64>() - moments[j];
                let scale = moments[j].abs().max(1.0);
                prop_assert!(x[j] >= 0.0);
                prop_assert!(slope >= -1e-6 * scale, "{j}: {slope}, {x:?}");
                prop_assert!(x[j] == 0.0 || slope.abs() <= 1e-6 * scale, "{j}: {slope}, {x:?}");
            }
        }
    }
}
