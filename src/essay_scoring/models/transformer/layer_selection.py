"""Which layers of an encoder are kept, and which of those may learn."""

from __future__ import annotations

from essay_scoring.core.errors import InputError
from essay_scoring.features.backbone import LayerSelection
from essay_scoring.features.backbone_loading import BackboneSettings
from essay_scoring.features.encoders import EncoderFolder
from essay_scoring.features.frozen_encoder import encoder_shape
from essay_scoring.models.scorer_settings import TransformerSettings


def backbone_settings(settings: TransformerSettings, encoder: EncoderFolder) -> BackboneSettings:
    """Return how settings load an encoder; InputError if it has too few layers for them."""
    total, _ = encoder_shape(encoder.path)
    depth = settings.layer or total
    if depth > total:
        raise InputError(
            f"the encoder has {total} layers, not {depth}",
            where="scorer.layer",
            mend=f"set it to at most {total}",
        )
    trained = settings.trained_layers or depth
    most = depth - 1 if settings.cache_frozen_layers else depth
    if trained > most:
        why = (
            ", and a cache of frozen layers needs one below" if settings.cache_frozen_layers else ""
        )
        raise InputError(
            f"{trained} layers cannot learn of {depth} that are kept{why}",
            where="scorer.trained_layers",
            mend=f"set it to at most {most}",
        )
    return BackboneSettings(
        LayerSelection(depth, depth - trained), settings.dropout, settings.max_length
    )
