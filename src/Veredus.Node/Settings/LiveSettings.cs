using System.Net;
using Veredus.Configuration;
using Veredus.Delivery;
using Veredus.Reception;
using Veredus.Reception.Bindings;
using Veredus.Reception.Policy;
using Veredus.Spool;

namespace Veredus.Node.Settings;

/// <summary>The configuration in force, as reception asks for it; prepares its successor. Safe from any thread.</summary>
internal sealed class LiveSettings : IReceptionSettings, IBindingAssigner, IConfigurationParticipant
{
    private readonly TimeProvider _time;
    private readonly IBindingPresence _presence;
    private readonly Random _random = new();
    private volatile NodeSettings _current;

    /// <exception cref="ConfigurationException">A file that the configuration names cannot be used.</exception>
    public LiveSettings(ConfigurationSnapshot configuration, IBindingPresence presence, TimeProvider time)
    {
        (_time, _presence) = (time, presence);
        _current = Prepare(configuration, null);
        if (_current.Files.Problems.Count == 0)
            return;
        var problems = new PreparationProblems();
        Report(_current, problems);
        throw new ConfigurationException(problems.Items);
    }

    public NodeSettings Current => _current;

    public ReceptionRules Rules => _current.Rules;

    public InboundPolicy? Policy(string endpoint, IPAddress client) => _current.Policy(endpoint, client);

    (string Group, string Binding) IBindingAssigner.Assign(Envelope envelope)
    {
        var rules = _current.Rules;
        lock (_random)
        {
            var name = BindingAssigner.Assign(rules.Configuration, BindingFacts.Of(envelope), rules.BindingState, _random).Name;
            return (name.Group, name.Binding);
        }
    }

    (string Group, string Binding) IBindingAssigner.Reassign(Envelope envelope)
    {
        var rules = _current.Rules;
        lock (_random)
        {
            var assignment = BindingAssigner.Assign(rules.Configuration, BindingFacts.Of(envelope), rules.BindingState, _random);
            return assignment.By is AssignedBy.Default or AssignedBy.Nobody ? (envelope.BindingGroup, envelope.Binding) : (assignment.Name.Group, assignment.Name.Binding);
        }
    }

    public ValueTask<IPreparedConfiguration?> PrepareAsync(ConfigurationChange change, PreparationProblems problems, CancellationToken cancellationToken)
    {
        var next = Prepare(change.New, _current);
        Report(next, problems);
        return new(new Prepared(this, next));
    }

    /// <summary>Reads all certificates and users again, with the configuration as it is.</summary>
    /// <returns>What is wrong with them; nothing has changed then.</returns>
    public IReadOnlyList<string> RereadFiles()
    {
        var next = Prepare(_current.Configuration, _current);
        if (next.Files.Problems.Count == 0)
            _current = next;
        return [.. next.Files.Problems.Select(problem => problem.Message)];
    }

    /// <summary>This host's name: as configured, else as the system says.</summary>
    public static string HostnameOf(ConfigurationSnapshot configuration) => configuration.Global.Get(Options.Hostname) ?? Dns.GetHostName();

    private NodeSettings Prepare(ConfigurationSnapshot configuration, NodeSettings? before)
    {
        var settings = new NodeSettings(configuration, new(HostnameOf(configuration), _time), _presence);
        if (before is not null)
            settings.Files.TakeOverCounters(before.Files);
        settings.LoadAll();
        return settings;
    }

    private static void Report(NodeSettings settings, PreparationProblems problems)
    {
        foreach (var problem in settings.Files.Problems)
            problems.Add(problem.Position, problem.Near, problem.Message);
    }

    private sealed class Prepared(LiveSettings live, NodeSettings next) : IPreparedConfiguration
    {
        public void Commit() => live._current = next;

        public ValueTask AbortAsync() => default;
    }
}
