"""Write what each extension brings to translation: `python -m training.ablation`."""

from zoo.quiet import quiet_when_imported

if __name__ == "__main__":
    quiet_when_imported()
    from training.publishing.ablation import main

    main()
