//! In which order parameters are found that build on each other.

/// A parameter, and the parameters that its own list is asked for with.
#[derive(Clone, Debug)]
pub struct Needs<'a> {
    /// Its name.
    pub name: &'a str,
    /// Which others it needs.
    pub needs: Vec<&'a str>,
}

/// Orders parameters so that each comes after those that it needs; where that leaves a choice, in the order given. The answer is indices.
///
/// ```
/// use longshore_nested::{Needs, order};
///
/// let repo = Needs { name: "repo", needs: vec!["org"] };
/// let org = Needs { name: "org", needs: vec![] };
/// assert_eq!(order(&[repo, org]), Ok(vec![1, 0]));
/// ```
///
/// # Errors
/// The names of a cycle, the first again at its end. Names that no parameter has are not looked at.
pub fn order(parameters: &[Needs<'_>]) -> Result<Vec<usize>, Vec<String>> {
    let mut ordered = Vec::with_capacity(parameters.len());
    let mut path = Vec::new();
    for index in 0..parameters.len() {
        visit(index, parameters, &mut ordered, &mut path)?;
    }
    Ok(ordered)
}

fn visit(
    index: usize,
    parameters: &[Needs<'_>],
    ordered: &mut Vec<usize>,
    path: &mut Vec<usize>,
) -> Result<(), Vec<String>> {
    if ordered.contains(&index) {
        return Ok(());
    }
    if let Some(begin) = path.iter().position(|&other| other == index) {
        let cycle = path[begin..].iter().chain([&index]);
        return Err(cycle.map(|&i| parameters[i].name.to_owned()).collect());
    }
    path.push(index);
    for need in &parameters[index].needs {
        if let Some(needed) = parameters.iter().position(|other| other.name == *need) {
            visit(needed, parameters, ordered, path)?;
        }
    }
    path.pop();
    ordered.push(index);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(
        parameters: &[(&'static str, &[&'static str])],
    ) -> Result<Vec<&'static str>, Vec<String>> {
        let needs: Vec<Needs<'_>> = parameters
            .iter()
            .map(|(name, needs)| Needs {
                name,
                needs: needs.to_vec(),
            })
            .collect();
        let order = order(&needs)?;
        Ok(order.into_iter().map(|index| parameters[index].0).collect())
    }

    #[test]
    fn each_comes_after_what_it_needs_and_else_in_the_order_written() {
        assert_eq!(
            ordered(&[
                ("n", &["org", "repo"]),
                ("region", &[]),
                ("repo", &["org"]),
                ("org", &[])
            ]),
            Ok(vec!["org", "repo", "n", "region"])
        );
    }

    #[test]
    fn a_cycle_is_named() {
        let cycle = ordered(&[("a", &[]), ("b", &["c"]), ("c", &["d"]), ("d", &["b"])]);
        assert_eq!(cycle.unwrap_err(), ["b", "c", "d", "b"]);
        assert_eq!(ordered(&[("a", &["a"])]).unwrap_err(), ["a", "a"]);
    }
}
