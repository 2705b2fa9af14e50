"""`hso explain`: a schedule in words."""

from ._console import result, result_json
from ._options import FileOrSource, JsonOption, NfeOption, NoiseOption, SearchOptions, SizeOptions
from ._progress import waiting
from ._signature import takes
from ._source import find_schedule

EXAMPLES = "Examples: hso explain sd21 --nfe 5; hso explain six.json --noise sdxl"


@takes(search=SearchOptions, size=SizeOptions)
def run(
    source: FileOrSource,
    search: SearchOptions,
    size: SizeOptions,
    nfe: NfeOption = None,
    noise: NoiseOption = None,
    json: JsonOption = False,
) -> None:
    """Say where a schedule's steps go and why, what binds, and what is proved."""
    import hso

    schedule, known = find_schedule(source, nfe, noise, search, size)
    with waiting("comparing"):
        explanation = hso.explain(schedule, known)
    if json:
        result_json({"facts": [{"topic": topic, "sentences": text} for topic, text in explanation.facts]})
    else:
        result(str(explanation))
