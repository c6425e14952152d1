using Veredus.Configuration;
using Veredus.Logging;
using Veredus.Node.Logs;

namespace Veredus.Node.Tests;

/// <summary>Which logger writes a log to its default path when several loggers leave it out.</summary>
public sealed class LoggerStanzasTests
{
    private const string Journal = "cluster:///var/log/veredus/mainlog.cluster";

    [Fact]
    public void A_logger_alone_has_all_the_defaults_whatever_its_name()
    {
        foreach (var stanza in (string[])["ec_logger { }", "ec_logger \"main\" { }", "ec_logger \"ec_logger\" { }"])
            Assert.Equal(Defaults(LogKind.Main, LogKind.Reject, LogKind.Panic, LogKind.Account), Written(stanza));
    }

    [Fact]
    public void A_further_logger_writes_only_what_it_names()
    {
        var expected = Defaults(LogKind.Main, LogKind.Reject, LogKind.Panic, LogKind.Account).Append((LogKind.Main, Journal));
        Assert.Equal(expected, Written($"ec_logger {{ }} ec_logger \"cluster\" {{ mainlog = \"{Journal}\" }}"));
        Assert.Equal(expected, Written($"ec_logger \"a\" {{ }} ec_logger \"b\" {{ mainlog = \"{Journal}\" }}"));
    }

    [Fact]
    public void The_defaults_belong_to_the_logger_without_a_name_also_behind_another()
    {
        var expected = Defaults(LogKind.Main, LogKind.Reject, LogKind.Panic, LogKind.Account).Prepend((LogKind.Main, Journal));
        Assert.Equal(expected, Written($"ec_logger \"cluster\" {{ mainlog = \"{Journal}\" }} ec_logger {{ }}"));
        Assert.Equal(expected, Written($"ec_logger \"cluster\" {{ mainlog = \"{Journal}\" }} ec_logger \"ec_logger\" {{ }}"));
    }

    [Fact]
    public void A_logger_that_is_switched_off_has_no_defaults() =>
        Assert.Equal(Defaults(LogKind.Main, LogKind.Reject, LogKind.Panic, LogKind.Account), Written("ec_logger { enabled = false } ec_logger \"other\" { }"));

    [Fact]
    public void A_second_bounce_logger_does_not_write_each_bounce_twice()
    {
        Assert.Equal([(LogKind.Bounce, Options.Bouncelog.Default)], Written("bounce_logger { } bounce_logger \"second\" { }"));
        Assert.Equal([(LogKind.Bounce, Options.Bouncelog.Default), (LogKind.Bounce, "/b")], Written("bounce_logger { } bounce_logger \"second\" { bouncelog = \"/b\" }"));
    }

    [Fact]
    public void A_logger_that_writes_nothing_is_named()
    {
        var warning = Assert.Single(LoggerStanzas.Warnings(ConfigurationSnapshot.FromText("ec_logger { }\nec_logger \"cluster\" { heartbeat = 0 }")));
        Assert.Equal("'ec_logger cluster' at text:2:1 names no log, so it writes none: name a mainlog, rejectlog, paniclog, acctlog or importlog there; the default paths belong to 'ec_logger'", warning);
        Assert.Empty(LoggerStanzas.Warnings(ConfigurationSnapshot.FromText($"ec_logger {{ }} ec_logger \"cluster\" {{ importlog = \"{Journal}\" }} bounce_logger {{ }}")));
    }

    private static IEnumerable<(LogKind, string)> Written(string text) =>
        LogConfiguration.Loggers(ConfigurationSnapshot.FromText(text)).SelectMany(logger => logger.Logs).Select(log => (log.Kind, log.Destination));

    private static IEnumerable<(LogKind, string)> Defaults(params LogKind[] kinds) => kinds.Select(kind => (kind, kind switch
    {
        LogKind.Main => Options.Mainlog.Default,
        LogKind.Reject => Options.Rejectlog.Default,
        LogKind.Panic => Options.Paniclog.Default,
        _ => Options.Acctlog.Default,
    }));
}
