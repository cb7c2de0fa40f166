//! Trainings of encoders for few-shot segmentation: scans.

use fewmark_learn::fewshot::FewShotConfig;

/// Every setting with its default, or with its value in the preset `paper`.
pub(super) fn defaults(paper: bool) -> toml::Table {
    super::table(&if paper { FewShotConfig::paper() } else { FewShotConfig::default() })
}
