import pytest
import torch

from cnnlab.config.config import check_config
from cnnlab.core.errors import RequestError
from cnnlab.core.registry import component
from cnnlab.core.yaml import parse
from cnnlab.data.dataset import DataPlace
from cnnlab.data.registry import DATASETS, image_of
from cnnlab.network.session import Session
from cnnlab.project.config.check import Checked, check, shape_of
from cnnlab.project.listing import listed_configs

SMALL = "model: [{conv: {channels: 4}}, global_avg_pool, linear]\n"


def config_of(text, tmp_path):
    return check_config(parse(text, "test"), [], default_name="test", base=tmp_path)


def test_the_chapters_network(tmp_path):
    path = {config.name: config.path for config in listed_configs()}["cifar"]
    config = config_of(path.read_text(), tmp_path)
    # the count that the chapter gives (section 19.2)
    assert check(config, Session()) == Checked(
        layers=8, shape=(3, 32, 32), classes=10, parameters=288_746, trainable=288_746
    )
    assert check(config, Session()).sentence == "fine: 8 layers, 288,746 parameters"


def test_checking_draws_no_random_number(tmp_path):
    before = torch.random.get_rng_state()
    check(config_of(SMALL, tmp_path), Session())
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("options", [{}, {"size": 24}])
def test_the_shape_of_shapes_is_that_of_its_images(options, tmp_path):
    dataset = component("dataset", "shapes", train_count=20, **options)
    loaded = dataset.build(place=DataPlace(tmp_path), part="train")
    assert image_of(dataset) == (loaded.shape, len(loaded.classes))


def test_the_real_cifar10_is_as_known(cifar_root):
    dataset = component("dataset", "cifar10")
    loaded = dataset.build(place=DataPlace(cifar_root, download=False), part="test")
    assert (loaded.shape, len(loaded.classes)) == image_of(dataset) == ((3, 32, 32), 10)


def test_every_data_set_is_known_but_for_the_classes_of_folders():
    import cnnlab.data.catalog  # noqa: F401

    assert {entry.name for entry in DATASETS if entry.facts.shape is None} == set()
    assert {entry.name for entry in DATASETS if entry.facts.classes is None} == {"folder"}
    assert {entry.name for entry in DATASETS if entry.facts.source != "archive"} == {"shapes", "pairs", "folder"}


@pytest.fixture
def unheard_of():
    @DATASETS.register("unheard_of")
    def unheard_of(place: DataPlace, part: str):
        """A data set of which nothing is known."""

    yield
    DATASETS.forget("unheard_of")


def test_what_is_not_known_must_be_given(unheard_of, tmp_path):
    config, session = config_of(SMALL + "data: {dataset: unheard_of}", tmp_path), Session()
    found = check(config, session, shape=(3, 16, 16))
    assert (found.shape, found.classes, found.parameters) == ((3, 16, 16), None, None)
    assert found.sentence == "fine as far as its options go: 3 layers"
    assert check(config, session, shape=(1, 8, 8), classes=2).parameters == 4 * 9 + 4 + 2 * 4 + 2


def test_images_need_not_be_there_where_their_classes_are_told(tmp_path):
    config = config_of(SMALL + "data: {dataset: {folder: {path: images, size: 16}}}", tmp_path)
    assert check(config, Session(), classes=5).parameters == 4 * 3 * 9 + 4 + 5 * 4 + 5


def test_the_command_names_the_options_that_tell(cnnlab, unheard_of):
    cnnlab.config(SMALL + "data: {dataset: unheard_of}", "some.yaml")
    said = "some.yaml: fine as far as its options go: 3 layers; to check the network as well, add --shape C,H,W"
    assert cnnlab("config", "check", "some.yaml").out == f"{said} --classes N\n"
    assert cnnlab("config", "check", "some.yaml", "--classes", 2).out == f"{said}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "model: [{conv: {channels: 4, kernel: 99, padding: 0}}, global_avg_pool, linear]",
            "too small for a kernel",
        ),
        ("model: [{conv: {channels: 4}}]", "add 'global_avg_pool' and 'linear'"),
        (SMALL + "parameter_groups: [{match: [conv9.*]}]", "'conv9.\\*' matches no parameter"),
        (SMALL + "optimizer: {sgd: {momentum: 0, nesterov: true}}", "nesterov"),
        (SMALL + "training: {epochs: 3}\nschedule: {cosine: {warmup: 3}}", "warmup of 3 epochs must be shorter"),
    ],
)
def test_parts_that_do_not_fit(text, message, tmp_path):
    with pytest.raises(RequestError, match=message):
        check(config_of(text, tmp_path), Session())


@pytest.mark.parametrize(
    ("text", "shape"), [("3,32,32", (3, 32, 32)), ("1x28x28", (1, 28, 28)), ("3, 8, 9", (3, 8, 9))]
)
def test_shape_of(text, shape):
    assert shape_of(text) == shape


@pytest.mark.parametrize("text", ["", "3", "3,32", "3,0,32", "3,-1,32", "3,a,32", "1,2,3,4", "3,²,4"])
def test_shapes_that_are_none(text):
    with pytest.raises(RequestError, match="expected channels, height and width, such as 3,32,32"):
        shape_of(text)
