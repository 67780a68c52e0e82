"""`escadre layout estimate`: what one GPU would hold under given flags. Asks no cluster.

The terms are those the operator plans with (core/engines/gpu_memory.py). Registered by command.py.
"""

from typing import Annotated

import typer

from escadre.api.approval import Architecture
from escadre.cli.layout import estimateview
from escadre.cli.layout.asked import (
    CacheType,
    check_weights,
    on_engine,
    read_limits,
    read_memory,
    read_utilization,
    read_weights,
)
from escadre.cli.layout.catalogued import chosen_model
from escadre.cli.layout.estimateview import Told
from escadre.cli.layout.legal import ConfigOption, dtype_notes, refused_by
from escadre.cli.layout.model import LocalModel
from escadre.cli.layout.stages import StagedCommand, asked_stages
from escadre.cli.shared.failures import NOT_READY, OK
from escadre.cli.shared.session import Output, OutputOption, environment_of
from escadre.core.engines.cards import Card
from escadre.core.engines.legality import LayoutRefusal, check_size
from escadre.core.engines.speed import Speed, speed_of
from escadre.core.engines.textonly import without_encoder
from escadre.core.layouts.estimate import Estimate, Launch, estimate

__all__ = ["register"]


def register(group: typer.Typer) -> None:
    """Adds the command to `escadre layout`."""
    group.command(
        "estimate",
        cls=StagedCommand,
        help="Show how one layout fills its GPUs: weights, overhead, cache, and what that holds. "
        "Asks no cluster. Exits with 1 when vLLM would not start.",
    )(_estimate)


def _estimate(
    context: typer.Context,
    tensor_parallel: Annotated[
        int, typer.Option(min=1, max=1024, help="GPUs of a replica or stage.")
    ],
    max_model_len: Annotated[int, typer.Option(min=1, max=1 << 24, help="Longest context.")],
    max_num_seqs: Annotated[int, typer.Option(min=1, max=65536, help="Requests at once.")],
    gpu_memory_utilization: Annotated[
        str, typer.Option(help="Share of the memory for vLLM, e.g. 0.92.", metavar="SHARE")
    ],
    config: ConfigOption = None,
    gpu: Annotated[str | None, typer.Option(help="Product, e.g. NVIDIA-L40S or H100.")] = None,
    visible_memory: Annotated[
        str | None, typer.Option(help="Memory as torch sees it, instead.", metavar="GIB")
    ] = None,
    weights_bytes: Annotated[
        int | None, typer.Option(min=1, max=1 << 50, help="Of a model without weight files.")
    ] = None,
    max_num_batched_tokens: Annotated[
        int | None, typer.Option(min=1, max=1 << 24, help="Default: as the operator sets it.")
    ] = None,
    kv_cache_dtype: Annotated[
        CacheType, typer.Option(help="Type of the key-value cache.")
    ] = CacheType.AUTO,
    text_only: Annotated[
        bool, typer.Option("--text-only", help="Without the encoder of images or sound.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    memory = read_memory(gpu, visible_memory)
    visible = memory.visible_bytes
    share, notes = read_utilization(gpu_memory_utilization, visible)
    limits = read_limits(tensor_parallel, max_num_seqs, max_num_batched_tokens, visible)
    chosen = chosen_model(context, config)
    model = chosen.model
    limits = on_engine(limits, asked_stages(context), model.profile, memory.card)
    weights = read_weights(model, weights_bytes)
    launch = Launch(limits, max_model_len, visible, share, kv_cache_dtype.element_bytes)
    whole = model.architecture(weights)
    if weights_bytes is not None:
        check_weights(whole)
    architecture = without_encoder(whole, model.encoder_bytes) if text_only else whole
    card = memory.card
    unable = _unable(model, whole, launch, card)
    found = Estimate(None, unable) if unable else estimate(architecture, launch)
    unknown = dtype_notes(card, model)
    speed = _speed(architecture, launch, card) if card and found.filled else None
    told = Told(launch, found, card, (*chosen.notes, *memory.notes, *notes, *unknown), speed)
    environment_of(context).answer(
        output,
        document=lambda: estimateview.document(told),
        view=lambda: estimateview.view(told),
    )
    raise typer.Exit(NOT_READY if found.refusal else OK)


def _unable(
    model: LocalModel, whole: Architecture, launch: Launch, card: Card | None
) -> LayoutRefusal | None:
    """What stands against the whole model, also where its encoder is left out.

    vLLM makes the encoder, without memory, before it drops it: its heads have to divide as ever.
    """
    unable = refused_by(card, model, whole)
    return unable or check_size(whole, launch.limits.tensor_parallel_size)


def _speed(architecture: Architecture, launch: Launch, card: Card) -> Speed:
    speed = speed_of(architecture, launch.limits, card.rates)
    return speed.cached_in(launch.cache_element_bytes)
