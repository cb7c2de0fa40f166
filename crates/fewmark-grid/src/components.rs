//! Connected components, by runs of set voxels and union-find.

use rayon::prelude::*;

use crate::Grid;

/// Which voxels are neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connectivity {
    /// Voxels that share a face: 4 neighbours in 2-D, 6 in 3-D.
    Face,
    /// Voxels that share an edge, too: 8 neighbours in 2-D, 18 in 3-D.
    Edge,
    /// Voxels that share a corner, too: 8 neighbours in 2-D, 26 in 3-D.
    Corner,
}

impl Connectivity {
    /// The neighbouring rows that come earlier in a field, as steps along y and z, and how far runs of voxels in them
    /// may lie apart along x.
    fn earlier_rows(self) -> &'static [(isize, isize, usize)] {
        match self {
            Self::Face => &[(-1, 0, 0), (0, -1, 0)],
            Self::Edge => &[(-1, 0, 1), (-1, -1, 0), (0, -1, 1), (1, -1, 0)],
            Self::Corner => &[(-1, 0, 1), (-1, -1, 1), (0, -1, 1), (1, -1, 1)],
        }
    }
}

/// The connected components of a mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Components {
    labels: Vec<u32>,
    sizes: Vec<usize>,
}

impl Components {
    /// Labels the connected components of a mask.
    ///
    /// # Panics
    /// When `mask` does not have one value for each voxel of `grid`.
    pub fn of(mask: &[bool], grid: &Grid, connectivity: Connectivity) -> Self {
        assert_eq!(mask.len(), grid.len(), "a mask has one value for each voxel");
        let rows: Vec<Vec<Run>> = mask.par_chunks(grid.size[0]).map(runs).collect();
        let first: Vec<usize> = rows
            .iter()
            .scan(0, |next, row| {
                let first = *next;
                *next += row.len();
                Some(first)
            })
            .collect();
        let joined = join(&rows, &first, grid, connectivity);
        Self::paint(mask.len(), grid.size[0], &rows, &first, &joined)
    }

    /// Numbers the sets of runs in the order of their first runs, and writes the numbers to the voxels.
    fn paint(voxels: usize, nx: usize, rows: &[Vec<Run>], first: &[usize], joined: &Forest) -> Self {
        let mut numbers = vec![0; joined.parent.len()];
        let mut sizes = Vec::new();
        for (id, run) in rows.iter().flatten().enumerate() {
            // A parent comes before its children, so its number is already known.
            let parent = joined.parent[id];
            if parent == id {
                sizes.push(0);
                // A mask with more components than that would take more than 8 GiB.
                numbers[id] = u32::try_from(sizes.len()).unwrap_or(u32::MAX);
            } else {
                numbers[id] = numbers[parent];
            }
            sizes[numbers[id] as usize - 1] += run.end - run.start;
        }
        let mut labels = vec![0; voxels];
        labels.par_chunks_mut(nx).zip(rows).zip(first).for_each(|((labels, row), &first)| {
            for (run, &number) in row.iter().zip(&numbers[first..]) {
                labels[run.start..run.end].fill(number);
            }
        });
        Self { labels, sizes }
    }

    /// Number of components.
    pub fn count(&self) -> usize {
        self.sizes.len()
    }

    /// For each voxel the number of its component, from 1 in the order of their first voxels; 0 outside the mask.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Number of voxels of each component; that of component `k` is at `k - 1`.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// The voxels of the largest component, of the first one where several are as large; none of an empty mask.
    pub fn largest(&self) -> Vec<bool> {
        let largest = self.sizes.iter().max();
        let position = self.sizes.iter().position(|size| Some(size) == largest);
        self.keep(|component| Some(component) == position)
    }

    /// The voxels of the components that contain any of the given voxels (positions in the field). Voxels outside the
    /// mask or the field contribute nothing.
    pub fn containing(&self, voxels: impl IntoIterator<Item = usize>) -> Vec<bool> {
        let mut kept = vec![false; self.count()];
        for label in voxels.into_iter().filter_map(|voxel| self.labels.get(voxel)) {
            if let Some(component) = label.checked_sub(1) {
                kept[component as usize] = true;
            }
        }
        self.keep(|component| kept[component])
    }

    /// The voxels of the components, counted from 0, for which `wanted` holds.
    pub(crate) fn keep(&self, wanted: impl Fn(usize) -> bool + Sync) -> Vec<bool> {
        self.labels.par_iter().map(|&label| label > 0 && wanted(label as usize - 1)).collect()
    }
}

/// Set voxels `start..end` of a row.
#[derive(Clone, Copy)]
struct Run {
    start: usize,
    end: usize,
}

fn runs(row: &[bool]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut x = 0;
    while let Some(start) = row[x..].iter().position(|&m| m).map(|n| x + n) {
        let end = row[start..].iter().position(|&m| !m).map_or(row.len(), |n| start + n);
        runs.push(Run { start, end });
        x = end;
    }
    runs
}

/// Unites the runs that are neighbours; `first` is the number of the first run of each row.
fn join(rows: &[Vec<Run>], first: &[usize], grid: &Grid, connectivity: Connectivity) -> Forest {
    let [_, ny, nz] = grid.size;
    let mut forest = Forest { parent: (0..rows.iter().map(Vec::len).sum()).collect() };
    for (z, y) in (0..nz).flat_map(|z| (0..ny).map(move |y| (z, y))) {
        for &(dy, dz, reach) in connectivity.earlier_rows() {
            let (Some(other_y), Some(other_z)) = (y.checked_add_signed(dy), z.checked_add_signed(dz)) else { continue };
            if other_y < ny {
                let (row, other) = (y + ny * z, other_y + ny * other_z);
                for_each_contact(&rows[row], &rows[other], reach, |a, b| {
                    forest.unite(first[row] + a, first[other] + b);
                });
            }
        }
    }
    forest
}

/// Calls `contact` for all pairs of runs, one of each row, that overlap when lengthened by `reach`.
fn for_each_contact(a: &[Run], b: &[Run], reach: usize, mut contact: impl FnMut(usize, usize)) {
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i].start < b[j].end + reach && b[j].start < a[i].end + reach {
            contact(i, j);
        }
        if a[i].end < b[j].end {
            i += 1;
        } else {
            j += 1;
        }
    }
}

/// Disjoint sets of runs. The root of each is its first run, and every other run comes after its parent.
struct Forest {
    parent: Vec<usize>,
}

impl Forest {
    fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        let (first, other) = (a.min(b), a.max(b));
        self.parent[other] = first;
    }

    /// The first run of a set; the path to it is halved for the next search.
    fn root(&mut self, mut id: usize) -> usize {
        while self.parent[id] != id {
            self.parent[id] = self.parent[self.parent[id]];
            id = self.parent[id];
        }
        id
    }
}
