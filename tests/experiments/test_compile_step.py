"""The whole train step lowers for cpu, cuda and tpu from one program; nothing is allocated or compiled."""

import dataclasses
import json
from typing import Any

import jax
import pytest

from experiments.benchmarks import compile_step
from experiments.benchmarks.compile_step import Case

TINY = Case(preset="tiny", batch=2, devices=2, tables="sharded", identities=10)


@pytest.fixture(scope="module")
def program():
    """The step of two devices with everything on: rendering, VGG16, sharded tables."""
    with compile_step.as_on_a_gpu_machine():
        step = compile_step.abstract_step(TINY)
        return compile_step.traced(step).lower(lowering_platforms=compile_step.PLATFORMS).as_text()


def branches(program, handler):
    """What the program does on cpu, cuda and tpu where it calls this handler on one of them."""
    call = program.index(f"custom_call @{handler}(")
    start = program.rindex('"stablehlo.case"', 0, call)
    return program[start : program.index("}) : (tensor<i32>)", call)].split("\n    }, {\n")


def test_the_program_asks_on_which_of_three_platforms_it_runs(program):
    assert 'jax.global_constant = "_platform_index"' in program


@pytest.mark.parametrize("handler", ["sirjax_rasterize", "sirjax_rasterize_gradient"])
def test_each_platform_gets_its_rasterizer(program, handler):
    cpu, cuda, tpu = branches(program, handler)
    assert compile_step.custom_calls(cpu) == [handler]
    assert compile_step.custom_calls(cuda) == [f"{handler}_cuda"]
    assert compile_step.custom_calls(tpu) == []
    assert "stablehlo.gather" in tpu or "stablehlo.while" in tpu  # plain JAX


def test_the_program_exchanges_gradients_and_gathers_codes(program):
    assert "stablehlo.all_reduce" in program
    assert "stablehlo.all_gather" in program


def test_arguments_have_shapes_and_no_values():
    step = compile_step.abstract_step(TINY)
    assert all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(step.arguments))
    centers: Any = step.state.centers
    assert step.state.params["class_weights"].shape == centers.shape
    assert centers.shape[:2] == (2, 5)  # ten identities on two devices
    assert step.frozen.vgg16 is not None


def test_more_devices_than_there_are_are_refused():
    with pytest.raises(ValueError, match="lowering for 99 devices needs as many here"):
        compile_step.traced(compile_step.abstract_step(dataclasses.replace(TINY, devices=99)))


def test_a_topology_that_nobody_knows_is_refused_with_the_remedy():
    with pytest.raises(RuntimeError, match="cannot compile for TPU nonsense: .*pip install sirjax"):
        compile_step.tpu_devices("nonsense")


def test_a_new_record_takes_the_place_of_the_old_one_of_its_case(tmp_path, capsys):
    path = tmp_path / "records.json"
    for topology, seconds in (("v5e:2x2", 1), ("v5e:2x4", 2), ("v5e:2x2", 3)):
        compile_step.add_record(path, "compiled", {"case": {"batch": 1}, "topology": topology, "seconds": seconds})
    assert [record["seconds"] for record in json.loads(path.read_text())["compiled"]] == [2, 3]
    assert '"seconds": 3' in capsys.readouterr().out
