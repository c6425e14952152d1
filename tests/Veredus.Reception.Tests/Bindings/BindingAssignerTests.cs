using System.Net;
using Veredus.Configuration;
using Veredus.Reception.Bindings;

namespace Veredus.Reception.Tests.Bindings;

public sealed class BindingAssignerTests
{
    private static readonly ConfigurationSnapshot Configuration = ConfigurationSnapshot.FromText("""
        binding "plain" { }
        binding_group "bulk" { binding "bulk-1" { } binding "bulk-2" { } binding "bulk-3" { } }
        binding_rule "by sender" { order = 10 sender = ( "*@news.example.com" ) binding = "bulk-1" }
        binding_rule "by user and peer" { order = 20 auth_user = ( "ann" ) peer = ( 192.0.2.0/24 ) binding = "bulk-2" }
        binding_rule "by header" { order = 30 header = [ X-Job = "^batch-" ] binding_group = "bulk" }
        binding_rule "by context" { order = 40 context = [ tier = "^gold$" ] binding = "bulk-3" }
        binding_rule "by domain" { order = 50 recipient_domain = ( "*.example.net" "/^mx[0-9]+\.example\.org$/" ) binding = "plain" }
        """);

    private static readonly BindingFacts Nothing = new("a@example.com", "elsewhere.example", IPAddress.Parse("198.51.100.1"), Context(), Context());

    [Fact]
    public void What_nothing_assigns_goes_to_default()
    {
        Assert.Equal(new(BindingName.Default, AssignedBy.Default), Assign(Nothing));
        var none = ConfigurationSnapshot.FromText("default_binding = none");
        Assert.True(BindingAssigner.Assign(none, Nothing, new State(), new(1)).IsRefused);
    }

    [Theory]
    [InlineData("x@news.example.com", "elsewhere.example", "bulk/bulk-1")]
    [InlineData("x@NEWS.example.com", "elsewhere.example", "bulk/bulk-1")]
    [InlineData("x@example.com", "sub.example.net", "default/plain")]
    [InlineData("x@example.com", "example.net", "default/default")]
    [InlineData("x@example.com", "mx12.example.org", "default/plain")]
    [InlineData("x@news.example.com", "sub.example.net", "bulk/bulk-1")]
    public void The_first_rule_that_holds_decides(string sender, string domain, string expected)
    {
        Assert.Equal(expected, Assign(Nothing with { Sender = sender, RecipientDomain = domain }).Name.ToString());
    }

    [Fact]
    public void All_conditions_of_a_rule_must_hold()
    {
        var ann = Context((ContextKeys.AuthStatus, "pass"), (ContextKeys.AuthUser, "ann"));
        var near = Nothing with { Client = IPAddress.Parse("192.0.2.7") };

        Assert.Equal("by user and peer", Assign(near with { Connection = ann }).Rule);
        Assert.Equal(AssignedBy.Default, Assign(near).By);
        Assert.Equal(AssignedBy.Default, Assign(Nothing with { Connection = ann }).By);
        Assert.Equal(AssignedBy.Default, Assign(near with { Connection = Context((ContextKeys.AuthStatus, "fail"), (ContextKeys.AuthUser, "ann")) }).By);
        Assert.Equal("by context", Assign(Nothing with { Connection = Context(("tier", "gold")) }).Rule);
    }

    [Fact]
    public void The_header_comes_before_rules_and_rules_before_the_listener()
    {
        var connection = Context((ContextKeys.AssignBinding, "plain"));
        var message = Context((ContextKeys.BindingHeader, "bulk-3"));

        Assert.Equal(AssignedBy.Listener, Assign(Nothing with { Connection = connection }).By);
        Assert.Equal(AssignedBy.Rule, Assign(Nothing with { Connection = connection, Sender = "x@news.example.com" }).By);
        Assert.Equal(new(new("bulk", "bulk-3"), AssignedBy.Header), Assign(Nothing with { Connection = connection, Message = message, Sender = "x@news.example.com" }));
        Assert.Equal("bulk", Assign(Nothing with { Connection = Context((ContextKeys.AssignBindingGroup, "bulk")) }).Name.Group);
    }

    [Fact]
    public void A_name_that_does_not_exist_is_told_and_the_next_step_decides()
    {
        var assignment = Assign(Nothing with { Message = Context((ContextKeys.BindingHeader, "no-such")), Sender = "x@news.example.com" });

        Assert.Equal(("bulk-1", "binding 'no-such'"), (assignment.Name.Binding, assignment.UnknownName));
        Assert.Equal("binding group 'gone'", Assign(Nothing with { Message = Context((ContextKeys.BindingHeader, "group:gone")) }).UnknownName);
    }

    [Fact]
    public void A_group_spreads_evenly_over_members_that_can_send_from_here()
    {
        var job = Nothing with { Message = Context((ContextKeys.Header("X-Job"), "batch-7")) };
        var counts = Draw(job, new());
        Assert.All(new[] { "bulk-1", "bulk-2", "bulk-3" }, name => Assert.InRange(counts.GetValueOrDefault(name), 800, 1200));

        Assert.Equal(["bulk-2", "bulk-3"], Draw(job, new() { Suspended = ["bulk-1"] }).Keys.Order());
        Assert.Equal(["bulk-2"], Draw(job, new() { Suspended = ["bulk-1"], Elsewhere = ["bulk-3"] }).Keys);
        Assert.Equal(["bulk-3"], Draw(job, new() { Suspended = ["bulk-1", "bulk-2"], Elsewhere = ["bulk-3"] }).Keys);
        Assert.Equal(["bulk-1", "bulk-2"], Draw(job, new() { Suspended = ["bulk-1", "bulk-2", "bulk-3"], Elsewhere = ["bulk-3"] }).Keys.Order());
    }

    [Fact]
    public void The_group_default_means_the_binding_default()
    {
        Assert.Equal(BindingName.Default, Assign(Nothing with { Message = Context((ContextKeys.BindingHeader, "group:default")) }).Name);
    }

    private static BindingAssignment Assign(BindingFacts facts) => BindingAssigner.Assign(Configuration, facts, new State(), new(1));

    private static Dictionary<string, int> Draw(BindingFacts facts, State state)
    {
        var random = new Random(7);
        return Enumerable.Range(0, 3000).Select(_ => BindingAssigner.Assign(Configuration, facts, state, random).Name.Binding).CountBy(name => name).ToDictionary();
    }

    private static Dictionary<string, string> Context(params (string Key, string Value)[] pairs) => pairs.ToDictionary(pair => pair.Key, pair => pair.Value);

    private sealed class State : IBindingState
    {
        public string[] Suspended { get; init; } = [];

        public string[] Elsewhere { get; init; } = [];

        public bool IsSuspended(BindingName binding, string recipientDomain) => Suspended.Contains(binding.Binding);

        public bool IsLocal(BindingName binding) => !Elsewhere.Contains(binding.Binding);
    }
}
