//! What holds for every factory of the registry.

#[test]
fn every_example_passes_the_check_of_its_factory() {
    for about in derived::registry().list() {
        let config = factory::Config::parse(about.name, about.example).expect(about.name);
        let registry = derived::registry();
        let factory = registry.get(about.name).expect(about.name);
        factory.check(&config).expect(about.name);
    }
}
