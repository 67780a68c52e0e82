"""As which version of vLLM a model is read: that which is to serve it. For drafts and signers."""

from escadre.cli.shared.engineconfig import EngineConfig, read_engine_config
from escadre.cli.shared.session import Environment, run
from escadre.clients.kube import ApiError, ConnectionUnknown
from escadre.core.profile import EngineProfile

__all__ = ["serving_profile"]


def serving_profile(environment: Environment, system_namespace: str) -> EngineProfile:
    """Of the operator's settings; what nobody could ask is said, and how it is read then."""
    try:
        config = run(environment, lambda session: read_engine_config(session.api, system_namespace))
    except (ApiError, ConnectionUnknown) as error:
        config = EngineConfig(unread=f"which version of vLLM will serve is not known: {error}")
    judged = config.profiled
    if config.unread:
        environment.err.print(f"{config.unread}: read as vLLM {judged.profile.version} would")
    if judged.note:
        environment.err.print(judged.note)
    return judged.profile
