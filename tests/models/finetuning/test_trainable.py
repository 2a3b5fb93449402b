from dataclasses import replace

from bearing_search.config import FinetuneConfig
from bearing_search.models.finetuning.trainable import choose_trainable, encoder_groups

CONFIG = FinetuneConfig(ssim_layers=(4,))


def test_rates_fall_from_the_last_block_to_the_embedding(tiny_encoder):
    groups = encoder_groups(tiny_encoder, replace(CONFIG, encoder_lr=1.0, layer_decay=0.5))
    rate_of = {id(p): rate for rate, parameters in groups for p in parameters}
    vit = tiny_encoder.vit

    assert len(rate_of) == len(list(tiny_encoder.parameters()))
    assert rate_of[id(vit.norm.weight)] == 1.0
    assert [rate_of[id(b.mlp.fc1.weight)] for b in vit.blocks] == [0.125, 0.25, 0.5, 1.0]
    assert rate_of[id(vit.pos_embed)] == rate_of[id(vit.patch_embed.proj.bias)] == 0.0625


def test_without_decay_there_is_one_group_in_the_encoders_own_order(tiny_encoder):
    ((rate, parameters),) = encoder_groups(tiny_encoder, CONFIG)
    assert rate == CONFIG.encoder_lr
    assert [id(p) for p in parameters] == [id(p) for p in tiny_encoder.parameters()]


def test_what_does_not_learn_is_in_no_group(tiny_encoder):
    choose_trainable(tiny_encoder, 0)
    assert encoder_groups(tiny_encoder, CONFIG) == []
