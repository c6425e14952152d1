using Veredus.Configuration;

namespace Veredus.Node.Logs;

/// <summary>
/// The <c>ec_logger</c> and <c>bounce_logger</c> stanzas of a configuration. One of each kind has the defaults: the one without a name or with its kind's name
/// (<c>ec_logger "ec_logger"</c>), else the first. The others write only the logs that they name; otherwise a second logger would write all lines of the
/// logs that it leaves out once more to the same files.
/// </summary>
internal static class LoggerStanzas
{
    /// <summary>The stanza that writes to the default paths what it does not name; <see langword="null"/>: there is no stanza of this kind.</summary>
    public static ScopeNode? Primary(ConfigurationSnapshot configuration, ScopeKinds kind) =>
        configuration.Modules(kind).OrderBy(module => module.Instance.Length == 0 ? 0 : module.Instance.Equals(module.Name, StringComparison.OrdinalIgnoreCase) ? 1 : 2).FirstOrDefault();

    /// <summary>All stanzas of one kind that are switched on, in the order of the configuration, each with what reads its paths.</summary>
    public static IEnumerable<(ScopeNode Module, Func<Option<string>, string?> PathOf)> All(ConfigurationSnapshot configuration, ScopeKinds kind)
    {
        var primary = Primary(configuration, kind);
        return configuration.Modules(kind).Select(module => (module, (Func<Option<string>, string?>)(option => PathOf(module, option, module == primary))));
    }

    /// <summary>Stanzas that write nothing, for the operator.</summary>
    public static IEnumerable<string> Warnings(ConfigurationSnapshot configuration)
    {
        foreach (var (kind, options, list) in ((ScopeKinds, Option[], string)[])
            [
                (ScopeKinds.EcLogger, [Options.Mainlog, Options.Rejectlog, Options.Paniclog, Options.Acctlog, Options.Importlog], "mainlog, rejectlog, paniclog, acctlog or importlog"),
                (ScopeKinds.BounceLogger, [Options.Bouncelog], "bouncelog"),
            ])
        {
            var primary = Primary(configuration, kind);
            foreach (var module in configuration.Modules(kind).Where(module => module != primary && !options.Any(option => module.Find(option) is not null)))
                yield return $"'{module.ConsolePath}' at {module.Position} names no log, so it writes none: name a {list} there; the default paths belong to '{primary!.ConsolePath}'";
        }
    }

    private static string? PathOf(ScopeNode module, Option<string> option, bool hasDefaults) =>
        hasDefaults || module.Find(option) is not null ? module.Get(option) : null;
}
