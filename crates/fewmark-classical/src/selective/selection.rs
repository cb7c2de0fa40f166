//! From the relaxed solution to the clicked object.

use fewmark_grid::{Components, Connectivity, Grid, depth, dilate, distance_to, fill_holes_up_to};

use super::params::{Keep, SelectiveParams};
use super::part::Part;

/// The mask `u > 1/2`, reduced to what was clicked, without parts that hang on by a thin neck, and with small holes filled.
pub(super) fn select(
    u: &[f32],
    marker: &[bool],
    clicks: &[usize],
    background: Option<&[bool]>,
    grid: &Grid,
    params: &SelectiveParams,
) -> Vec<bool> {
    let mut mask: Vec<bool> = u.iter().map(|&u| u > 0.5).collect();
    if params.keep == Keep::Clicked {
        mask = clicked(&mask, clicks, grid);
    }
    if params.neck > 0.0 {
        mask = cut_necks(&mask, marker, grid, params.neck);
        if params.keep == Keep::Clicked {
            mask = clicked(&mask, clicks, grid);
        }
    }
    if params.close > 0.0 {
        mask = close(&mask, grid, params.close);
    }
    if params.fill_holes > 0.0 {
        let size = mask.iter().filter(|m| **m).count();
        mask = fill_holes_up_to(&mask, grid, Connectivity::Face, (params.fill_holes * size as f64) as usize);
    }
    if let Some(background) = background {
        // A background click in a hole keeps its voxels out.
        mask.iter_mut().zip(background).for_each(|(m, &b)| *m &= !b);
    }
    mask
}

/// The components that hold a click; all of them when none does, because an empty answer helps nobody.
fn clicked(mask: &[bool], clicks: &[usize], grid: &Grid) -> Vec<bool> {
    if !clicks.iter().any(|&click| mask[click]) {
        return mask.to_vec();
    }
    Components::of(mask, grid, Connectivity::Face).containing(clicks.iter().copied())
}

/// Cuts off the parts that only a thin neck joins to the marked part, such as the other lung.
///
/// An erosion by `share` of the largest inscribed radius splits the mask into cores. What lies within that radius of a core
/// that meets the marker stays; so do thin parts that do not lead to another core.
fn cut_necks(mask: &[bool], marker: &[bool], grid: &Grid, share: f64) -> Vec<bool> {
    // Beyond the image the mask goes on as it is at the border: an object cut by the border is not thin there.
    let depth = depth_with_open_border(mask, grid);
    let radius = share as f32 * depth.iter().copied().fold(0.0, f32::max);
    let eroded: Vec<bool> = depth.iter().map(|&d| d > radius).collect();
    let cores = Components::of(&eroded, grid, Connectivity::Face);
    if cores.count() < 2 {
        return mask.to_vec();
    }
    let marked = cores.containing((0..mask.len()).filter(|&i| marker[i]));
    if !marked.contains(&true) {
        return mask.to_vec();
    }
    let others: Vec<bool> = eroded.iter().zip(&marked).map(|(e, m)| *e && !m).collect();
    if !others.contains(&true) {
        return mask.to_vec();
    }
    let reach = radius + 1.0;
    let near = |core: &[bool]| -> Vec<bool> {
        distance_to(core, grid).iter().zip(mask).map(|(&d, &m)| m && d <= reach).collect()
    };
    let (mut kept, near_others) = (near(&marked), near(&others));
    let rest: Vec<bool> = mask.iter().zip(&kept).map(|(m, k)| *m && !k).collect();
    let rest = Components::of(&rest, grid, Connectivity::Face);
    let leading_away = rest.containing((0..mask.len()).filter(|&i| near_others[i]));
    for (i, kept) in kept.iter_mut().enumerate() {
        *kept |= rest.labels()[i] != 0 && !leading_away[i];
    }
    kept
}

/// The mask and what a ball of `share` of its largest inscribed radius cannot reach from outside without touching it.
fn close(mask: &[bool], grid: &Grid, share: f64) -> Vec<bool> {
    let radius = share * f64::from(depth(mask, grid).iter().copied().fold(0.0, f32::max));
    if radius < 1.0 {
        return mask.to_vec();
    }
    // The dilated mask may reach beyond the image, so the work is done in a box with room around the mask.
    let part = Part::around(mask, grid, radius);
    let dilated = dilate(&part.cut(mask, grid), &part.grid, radius);
    let outside: Vec<bool> = dilated.iter().map(|d| !d).collect();
    let closed: Vec<bool> = distance_to(&outside, &part.grid).iter().map(|&d| f64::from(d) > radius).collect();
    let mut result = part.paste(&closed, vec![false; mask.len()], grid);
    result.iter_mut().zip(mask).for_each(|(r, m)| *r |= m);
    result
}

/// Distance of each voxel of the mask to the nearest voxel of the image outside it.
fn depth_with_open_border(mask: &[bool], grid: &Grid) -> Vec<f32> {
    let outside: Vec<bool> = mask.iter().map(|m| !m).collect();
    if outside.contains(&true) { distance_to(&outside, grid) } else { depth(mask, grid) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selective::SelectiveParams;

    /// The defaults, with the bays of the outline left open.
    fn open() -> SelectiveParams {
        SelectiveParams { close: 0.0, ..SelectiveParams::default() }
    }

    /// Two discs of radius 20 joined by a bridge of the given half-width.
    fn dumbbell(half_width: f64) -> (Vec<bool>, Grid) {
        let grid = Grid::unit([120, 60, 1]);
        let inside = |i: usize| {
            let [x, y, _] = grid.voxel(i).map(|v| v as f64);
            let disc = |cx: f64| (x - cx).hypot(y - 30.0) <= 20.0;
            disc(30.0) || disc(90.0) || ((y - 30.0).abs() <= half_width && (30.0..90.0).contains(&x))
        };
        ((0..grid.len()).map(inside).collect(), grid)
    }

    fn selected(mask: &[bool], grid: &Grid, click: [usize; 3], params: &SelectiveParams) -> Vec<bool> {
        let u: Vec<f32> = mask.iter().map(|&m| f32::from(u8::from(m))).collect();
        let marker: Vec<bool> = (0..grid.len()).map(|i| grid.index(click) == i).collect();
        select(&u, &marker, &[grid.index(click)], None, grid, params)
    }

    #[test]
    fn what_hangs_on_by_a_thin_neck_is_cut_off() {
        let (mask, grid) = dumbbell(1.0);
        let kept = selected(&mask, &grid, [30, 30, 0], &open());
        assert!(kept[grid.index([20, 20, 0])] && !kept[grid.index([90, 30, 0])]);
        let (mask, grid) = dumbbell(8.0);
        let kept = selected(&mask, &grid, [30, 30, 0], &open());
        assert_eq!(kept, mask, "a broad bridge is part of the object");
    }

    #[test]
    fn only_the_clicked_part_is_kept_and_small_holes_are_filled() {
        let grid = Grid::unit([40, 20, 1]);
        let square = |v: [usize; 3], x: usize| (x..x + 12).contains(&v[0]) && (4..16).contains(&v[1]);
        let mut mask: Vec<bool> =
            (0..grid.len()).map(|i| square(grid.voxel(i), 2) || square(grid.voxel(i), 22)).collect();
        mask[grid.index([8, 10, 0])] = false;
        let kept = selected(&mask, &grid, [4, 6, 0], &open());
        assert_eq!(kept.iter().filter(|m| **m).count(), 144);
        assert!(kept[grid.index([8, 10, 0])]);
        let whole = SelectiveParams { keep: Keep::All, neck: 0.0, fill_holes: 0.0, ..open() };
        assert_eq!(selected(&mask, &grid, [4, 6, 0], &whole), mask);
    }

    #[test]
    fn a_cleft_is_closed_and_the_outline_kept() {
        let grid = Grid::unit([80, 60, 1]);
        let inside = |i: usize| {
            let [x, y, _] = grid.voxel(i);
            (10..70).contains(&x) && (0..40).contains(&y) && !((39..42).contains(&x) && y >= 20)
        };
        let mask: Vec<bool> = (0..grid.len()).map(inside).collect();
        let closed = close(&mask, &grid, 0.2);
        assert!(
            closed[grid.index([40, 30, 0])],
            "a cleft of 3 pixels is narrower than twice 0.2 of the inscribed radius"
        );
        let count = |mask: &[bool]| mask.iter().filter(|m| **m).count();
        assert!(count(&closed) <= 60 * 40, "nothing outside the square is added");
        assert_eq!(close(&mask, &grid, 0.01), mask);
    }

    #[test]
    fn an_unclicked_mask_is_left_as_it_is() {
        let (mask, grid) = dumbbell(1.0);
        assert_eq!(clicked(&mask, &[0], &grid), mask);
    }
}
