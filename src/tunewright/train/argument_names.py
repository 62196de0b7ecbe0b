"""What must be known of ``transformers.TrainingArguments`` before transformers is loaded. A test compares it with the installed release."""

from __future__ import annotations

TODAY: frozenset[str] = frozenset((
    "output_dir per_device_train_batch_size num_train_epochs max_steps learning_rate lr_scheduler_type lr_scheduler_kwargs warmup_steps optim "
    "optim_args weight_decay adam_beta1 adam_beta2 adam_epsilon optim_target_modules gradient_accumulation_steps average_tokens_across_devices "
    "max_grad_norm label_smoothing_factor bf16 fp16 bf16_full_eval fp16_full_eval tf32 activation_checkpointing activation_checkpointing_kwargs "
    "gradient_checkpointing gradient_checkpointing_kwargs torch_compile torch_compile_backend torch_compile_mode use_liger_kernel "
    "liger_kernel_config use_cache neftune_noise_alpha torch_empty_cache_steps auto_find_batch_size logging_strategy logging_steps "
    "logging_first_step log_on_each_node logging_nan_inf_filter include_num_input_tokens_seen log_level log_level_replica disable_tqdm report_to "
    "run_name project trackio_space_id trackio_bucket_id trackio_static_space_id eval_strategy eval_steps eval_delay "
    "per_device_eval_batch_size prediction_loss_only eval_on_start eval_do_concat_batches eval_use_gather_object eval_accumulation_steps "
    "include_for_metrics batch_eval_metrics save_only_model save_strategy save_steps save_on_each_node save_total_limit enable_jit_checkpoint "
    "push_to_hub hub_token hub_private_repo hub_model_id hub_strategy hub_always_push hub_revision load_best_model_at_end metric_for_best_model "
    "greater_is_better ignore_data_skip restore_callback_states_from_checkpoint full_determinism seed data_seed use_cpu accelerator_config "
    "parallelism_config dataloader_drop_last dataloader_num_workers dataloader_pin_memory dataloader_persistent_workers "
    "dataloader_prefetch_factor dataloader_multiprocessing_context dataloader_in_order remove_unused_columns label_names "
    "train_sampling_strategy length_column_name ddp_find_unused_parameters ddp_bucket_cap_mb ddp_broadcast_buffers ddp_static_graph ddp_backend "
    "ddp_timeout fsdp fsdp_config deepspeed debug skip_memory_metrics do_train do_eval do_predict resume_from_checkpoint local_rank"
).split())
"""The fields of the release that the constraints file pins."""

OURS: dict[str, str] = {
    "output_dir": "output_dir",
    "run_name": "name",
    "seed": "seed",
    "data_seed": "seed",
    "full_determinism": "seed",
    "per_device_train_batch_size": "train.batch_size (with train.accumulate)",
    "per_device_eval_batch_size": "evaluate.batch_size",
    "gradient_accumulation_steps": "train.accumulate",
    "num_train_epochs": "train.epochs",
    "max_steps": "train.max_steps",
    "learning_rate": "train.learning_rate",
    "lr_scheduler_type": "train.schedule",
    "warmup_steps": "train.warmup (a share of the steps)",
    "weight_decay": "train.weight_decay",
    "max_grad_norm": "train.clip",
    "label_smoothing_factor": "criterion: {name: cross-entropy, smoothing: ...}",
    "bf16": "train.precision",
    "fp16": "train.precision",
    "bf16_full_eval": "train.precision",
    "fp16_full_eval": "train.precision",
    "eval_strategy": "train.evaluate_every",
    "eval_steps": "train.evaluate_every",
    "eval_on_start": "train.evaluate_every",
    "eval_delay": "train.evaluate_every",
    "save_strategy": "train.save_every",
    "save_steps": "train.save_every",
    "save_total_limit": "train.save_total_limit",
    "save_only_model": "train.save_every (a checkpoint is always whole, so that a run can go on)",
    "load_best_model_at_end": "train.best_by (the best checkpoint is always the one served)",
    "metric_for_best_model": "train.best_by",
    "greater_is_better": "train.best_by",
    "include_for_metrics": "evaluate.metrics",
    "batch_eval_metrics": "evaluate.metrics",
    "report_to": "trackers",
    "logging_strategy": "events.jsonl, which has a line for every step",
    "logging_steps": "events.jsonl, which has a line for every step",
    "logging_first_step": "events.jsonl, which has a line for every step",
    "logging_nan_inf_filter": "nothing: a loss that is not finite always ends the run",
    "disable_tqdm": "the option --quiet of the command",
    "train_sampling_strategy": "train.bucket",
    "length_column_name": "train.bucket",
    "remove_unused_columns": "data.columns",
    "label_names": "data.columns",
    "resume_from_checkpoint": "the command tunewright train --resume RUN",
    "ignore_data_skip": "the command tunewright train --resume RUN",
    "do_train": "the command tunewright train",
    "do_eval": "the command tunewright evaluate",
    "do_predict": "the command tunewright predict",
    "push_to_hub": "nothing here: a model is published only when it is asked for by name",
    "auto_find_batch_size": "train.batch_size with train.accumulate",
    "prediction_loss_only": "train.best_by",
}
"""Fields that one of our keys owns, and that key."""

YESTERDAY: dict[str, str] = {
    "evaluation_strategy": "today it is eval_strategy, which train.evaluate_every sets",
    "evaluate_during_training": "today train.evaluate_every",
    "per_gpu_train_batch_size": "today train.batch_size",
    "per_gpu_eval_batch_size": "today evaluate.batch_size",
    "warmup_ratio": "today train.warmup",
    "logging_dir": "today trackers: {name: tensorboard, folder: ...}",
    "no_cuda": "today use_cpu",
    "use_mps_device": "today nothing: Apple's GPU is used where there is one",
    "group_by_length": "today train.bucket",
    "fp16_backend": "today train.precision",
    "fp16_opt_level": "today train.precision",
    "half_precision_backend": "today train.precision",
    "tpu_num_cores": "today nothing: the launcher sets it",
    "tpu_metrics_debug": "today debug",
    "adafactor": "today optim: adafactor",
    "sharded_ddp": "today fsdp",
    "fsdp_min_num_params": "today fsdp_config",
    "fsdp_transformer_layer_cls_to_wrap": "today fsdp_config",
    "dispatch_batches": "today accelerator_config",
    "split_batches": "today accelerator_config",
    "past_index": "today nothing: it was removed with the models that read it",
    "push_to_hub_model_id": "today hub_model_id",
    "push_to_hub_organization": "today hub_model_id",
    "push_to_hub_token": "today hub_token",
    "overwrite_output_dir": "today the option --overwrite of the command",
    "save_safetensors": "today nothing: weights are always saved as safetensors",
    "include_inputs_for_metrics": "today evaluate.metrics",
    "include_tokens_per_second": "today events.jsonl, which has the tokens of every step",
    "ray_scope": "today nothing: searches have commands of their own",
    "jit_mode_eval": "today torch_compile",
    "use_ipex": "today torch_compile",
    "torchdynamo": "today torch_compile",
    "mp_parameters": "today nothing: it was removed",
}
"""Names of earlier releases, and what serves today."""
